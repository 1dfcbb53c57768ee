/**
 * CloudEvents 1.0.2 in the JSON format, structured mode: the attributes and the data are one JSON object.
 *
 * A transport that has a content type says `application/cloudevents+json; charset=utf-8` (the protocol bindings demand it of
 * Kafka and of MQTT 5; MQTT 3.1.1 has no place for it). `source` and `id` together are unique: the id is the message's own,
 * the same over every repeat.
 */
import type { DetectionEvent } from '../contract/index.ts'

/** The content type of a structured CloudEvent in JSON. */
export const CLOUDEVENTS_CONTENT_TYPE = 'application/cloudevents+json; charset=utf-8'

/** The `type` of a detection event. Its last part is the version of the form of `data`. */
export const DETECTION_EVENT_TYPE = 'io.backhaul.detection.v1'

/** What a CloudEvent says beside the detection. */
export interface CloudEventContext {
  /** The message's id. */
  readonly id: string
  /** The device that sends it. */
  readonly deviceId: string
  /** The input that it came from. */
  readonly input: string
}

/**
 * Writes a detection event as a CloudEvent: `source` is `/devices/(device)/inputs/(input)`, `subject` the sensor,
 * `time` the frame's timestamp, `data` the event in its own JSON form.
 */
export function writeCloudEvent(event: DetectionEvent, context: CloudEventContext): string {
  return JSON.stringify({
    specversion: '1.0',
    id: context.id,
    source: `/devices/${encodeURIComponent(context.deviceId)}/inputs/${encodeURIComponent(context.input)}`,
    type: DETECTION_EVENT_TYPE,
    subject: event.sensorId,
    time: event.timestamp,
    datacontenttype: 'application/json',
    data: event,
  })
}
