#!/usr/bin/python3
"""Makes assets/recordings/street.jsonl: what a real detector sees in a real video.

The video is the street scene that OpenCV ships as sample data (768 x 576 pixels, 10 frames a second, 795 frames).
The detector is OpenCV's own people detector: histograms of oriented gradients and a linear SVM (Dalal and Triggs, 2005).
A tracker by overlap gives each person an id that stays the same from frame to frame.

    apt-get install python3-opencv opencv-doc
    /usr/bin/python3 scripts/make-recording.py [--draw FOLDER]

One thread and no GPU, so that two runs give the same bytes. It takes a few minutes.
--draw writes every hundredth frame with its boxes, to look at.
"""

import argparse
import datetime
import json
import math
import pathlib
import sys

import cv2

ROOT = pathlib.Path(__file__).resolve().parent.parent
VIDEO = '/usr/share/doc/opencv-doc/examples/data/vtest.avi'
START = datetime.datetime(2026, 3, 2, 8, 0, tzinfo=datetime.timezone.utc)

EVERY = 2  # of the video's frames, look at every second one: five a second
ENLARGE = 1.5  # the detector's window is 64 x 128 pixels and people here are smaller
MIN_SCORE = 0.4  # distance from the SVM's plane
MAX_HEIGHT = 200  # in pixels of the video: nobody in this scene is taller
SAME_PERSON = 0.45  # overlap from which two boxes of one frame are one person
SAME_TRACK = 0.25  # overlap from which a box continues a track
PATIENCE = 6  # looks that a track survives unseen
CONFIRMED = 2  # sightings before a track is reported


def overlap(a, b):
    """Intersection over union of two boxes (left, top, width, height)."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    return shared / (a[2] * a[3] + b[2] * b[3] - shared)


def detect(detector, picture):
    """People in a picture as (score, box), the surest first."""
    large = cv2.resize(picture, None, fx=ENLARGE, fy=ENLARGE, interpolation=cv2.INTER_LINEAR)
    boxes, scores = detector.detectMultiScale(large, winStride=(8, 8), padding=(16, 16), scale=1.05)
    found = []
    for (x, y, w, h), score in zip(boxes, scores):
        # the detector's window has a margin around the person
        box = tuple(round(v / ENLARGE) for v in (x + 0.15 * w, y + 0.08 * h, 0.7 * w, 0.84 * h))
        if float(score) >= MIN_SCORE and box[3] <= MAX_HEIGHT:
            found.append((float(score), box))
    found.sort(key=lambda item: (-item[0], item[1]))
    kept = []
    for score, box in found:
        if all(overlap(box, other) < SAME_PERSON for _, other in kept):
            kept.append((score, box))
    return kept


class Tracker:
    """Continues a track with the box that overlaps it most; a box that continues none begins a new one."""

    def __init__(self):
        self.tracks = []
        self.next_id = 1

    def update(self, found):
        """Gives (id, score, box) of the confirmed tracks that are seen now."""
        pairs = sorted(
            ((overlap(track['box'], box), -track['id'], index) for track in self.tracks
             for index, (_, box) in enumerate(found)),
            reverse=True,
        )
        by_id = {track['id']: track for track in self.tracks}
        taken, seen = set(), {}
        for amount, negative_id, index in pairs:
            if amount < SAME_TRACK or -negative_id in seen or index in taken:
                continue
            seen[-negative_id] = index
            taken.add(index)
        for index in range(len(found)):
            if index not in taken:
                by_id[self.next_id] = {'id': self.next_id, 'box': None, 'seen': 0, 'unseen': 0}
                seen[self.next_id] = index
                self.next_id += 1
        shown = []
        for number, track in by_id.items():
            if number not in seen:
                track['unseen'] += 1
                continue
            score, box = found[seen[number]]
            track.update(box=box, unseen=0, seen=track['seen'] + 1)
            if track['seen'] >= CONFIRMED:
                shown.append((number, score, box))
        self.tracks = [track for track in by_id.values() if track['unseen'] <= PATIENCE]
        return sorted(shown)


def event(frame, rate, people, width, height):
    """One line of the recording: a DetectionEvent."""
    taken = START + datetime.timedelta(seconds=frame / rate)
    objects = []
    for number, score, (left, top, w, h) in people:
        left, top = max(left, 0), max(top, 0)
        objects.append({
            'trackingId': str(number),
            'type': 'person',
            'label': 'person',
            # a logistic curve over the score of the SVM
            'confidence': round(1 / (1 + math.exp(-2 * score)), 3),
            'box': {'left': left, 'top': top, 'width': min(w, width - left), 'height': min(h, height - top)},
        })
    return {
        'timestamp': taken.strftime('%Y-%m-%dT%H:%M:%S.') + f'{taken.microsecond // 1000:03d}Z',
        'sensorId': 'street-cam-1',
        'frame': frame,
        'objects': objects,
    }


def draw(folder, frame, picture, line):
    """Writes a picture with the boxes of its line."""
    for item in line['objects']:
        box = item['box']
        left, top = box['left'], box['top']
        cv2.rectangle(picture, (left, top), (left + box['width'], top + box['height']), (0, 255, 0), 2)
        text = f"{item['trackingId']} {item['confidence']:.2f}"
        cv2.putText(picture, text, (left, top - 4), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (0, 255, 255), 1)
    cv2.imwrite(str(pathlib.Path(folder) / f'frame-{frame:04d}.png'), picture)


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument('--video', default=VIDEO)
    arguments.add_argument('--out', default=str(ROOT / 'assets' / 'recordings' / 'street.jsonl'))
    arguments.add_argument('--draw', metavar='FOLDER')
    options = arguments.parse_args()

    cv2.setNumThreads(1)
    cv2.ocl.setUseOpenCL(False)
    video = cv2.VideoCapture(options.video)
    if not video.isOpened():
        sys.exit(f'Cannot open "{options.video}": apt-get install opencv-doc')
    rate = video.get(cv2.CAP_PROP_FPS)
    detector = cv2.HOGDescriptor()
    detector.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    tracker = Tracker()
    frame = objects = 0
    with open(options.out, 'w', encoding='utf-8', newline='\n') as out:
        while True:
            ok, picture = video.read()
            if not ok:
                break
            if frame % EVERY == 0:
                people = tracker.update(detect(detector, picture))
                line = event(frame, rate, people, picture.shape[1], picture.shape[0])
                out.write(json.dumps(line, separators=(',', ':')) + '\n')
                objects += len(people)
                if options.draw and frame % 100 == 0:
                    draw(options.draw, frame, picture, line)
            frame += 1
    print(f'{frame} frames, {objects} objects, {tracker.next_id - 1} tracks begun, OpenCV {cv2.__version__}')


main()
