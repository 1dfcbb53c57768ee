import { PROPERTIES_FILE } from '../../config/deepstream/files.ts'

/** Configurations as deepstream-test5-app takes them, with what their sources see. Capital words are filled in. */
export interface Test5Config {
  /** Its name, which its golden file has too. */
  readonly name: string
  /** The file; `asYaml()` makes the other grammar of it. */
  readonly text: string
  /** Lines of the Kafka adaptor's file. */
  readonly kafka: string
  /** The last parts of its topics. */
  readonly topics: readonly string[]
  /** What the sources see. */
  readonly frames: readonly object[]
}

/** Two sensors, and a place and an analytics module of the first. */
export const PROPERTIES = `${PROPERTIES_FILE}
[sensor1]
enable=1
type=Camera
id=GATE_7
location=1.5;2.5;3.5
description=At the gate
`

const SINK = `enable=1
type=6
msg-broker-proto-lib=LIBRARY
msg-broker-config=cfg.txt`

const box = { left: 100.9, top: 50.5, width: 120, height: 129.5 }

function object(type: string, more: object = {}): object {
  return { trackingId: '12', type, confidence: 0.87, box, ...more }
}

function frame(sensorId: string, number: number, objects: readonly object[]): object {
  const timestamp = new Date(Date.UTC(2026, 0, 2, 3, 4, 5, 678) + number * 33).toISOString()
  return { timestamp, sensorId, frame: number, objects }
}

const OBJECTS: Test5Config = {
  name: 'objects',
  topics: ['full', 'minimal'],
  kafka: '#partition-key = sensorId',
  text: `[application]
enable-perf-measurement=1

[source0]
enable=1
type=3
uri=file:///opt/sample.mp4

[source1]
enable=1
type=4
uri=rtsp://camera/gate

[sink0]
${SINK}
msg-conv-config=properties.txt
msg-conv-payload-type=0
msg-broker-conn-str=CONNECTION
topic=TOPIC.full

[sink1]
${SINK}
msg-conv-config=properties.txt
msg-conv-payload-type=1
msg-broker-conn-str=CONNECTION
topic=TOPIC.minimal

[sink2]
enable=1
type=2
`,
  frames: [
    frame('0', 1, [
      object('vehicle', { event: 'moving', attributes: { type: 'sedan', make: 'Bugatti', color: 'blue' } }),
      object('person', { event: 'entry', attributes: { gender: 'female', age: '33' } }),
      object('face', { event: 'parked', attributes: { gender: 'male', eyecolor: 'green' } }),
      object('product', { event: 'reset', attributes: { brand: 'b', type: 't', shape: 's' } }),
      object('vehicle', { event: 'exit' }),
      object('bag'),
      object('roadsign'),
    ]),
    frame('GATE_7', 2, [
      object('unknown', { label: 'forklift' }),
      object('unknown', { trackingId: undefined }),
    ]),
    frame('elsewhere', 3, [object('person')]),
    frame('0', 4, []),
  ],
}

const NEW_API: Test5Config = {
  name: 'new-api',
  topics: ['full', 'minimal'],
  kafka: 'partition-key = sensorId',
  text: `[source0]
enable=1
type=4
uri=rtsp://camera/road

[source1]
enable=1
type=4
uri=rtsp://camera/gate

[sink0]
${SINK}
msg-conv-config=properties.txt
msg-conv-payload-type=0
msg-conv-msg2p-new-api=1
msg-conv-frame-interval=10
msg-broker-conn-str=CONNECTION
topic=TOPIC.full

[sink1]
${SINK}
msg-conv-config=properties.txt
msg-conv-payload-type=1
msg-conv-msg2p-new-api=1
msg-broker-conn-str=CONNECTION
topic=TOPIC.minimal
`,
  // half of a minute's frames are not due, at either rate
  frames: Array.from({ length: 61 }, (_, index) => index).flatMap((number) => [
    frame('HWY_20', number, [object('vehicle', { label: 'car', attributes: { color: 'blue' } })]),
    frame('GATE_7', number, number === 30 ? [] : [object('person', { label: 'person' })]),
  ]),
}

const ONE_CONVERTER: Test5Config = {
  name: 'one-converter',
  topics: ['protobuf', 'dummy', 'custom'],
  kafka: 'partition-key = sensorId',
  text: `[source-list]
sensor-id-list=CAM_A;CAM_B

[message-converter]
enable=1
msg-conv-config=properties.txt
msg-conv-payload-type=2
msg-conv-comp-id=2

[sink0]
${SINK}
disable-msgconv=1
msg-broker-conn-str=CONNECTION;TOPIC.protobuf
msg-broker-comp-id=2

[sink1]
${SINK}
msg-conv-payload-type=1
msg-conv-comp-id=1
msg-conv-dummy-payload=1
msg-broker-conn-str=CONNECTION
topic=TOPIC.dummy

[sink2]
${SINK}
msg-conv-payload-type=257
msg-broker-conn-str=CONNECTION
topic=TOPIC.custom

[sink3]
enable=0
type=6
topic=TOPIC.custom
`,
  frames: [
    frame('CAM_A', 1, [object('vehicle', { componentId: 1 }), object('person', { componentId: 2 })]),
    frame('CAM_B', 2, [object('person', { componentId: 2 })]),
    frame('CAM_B', 3, []),
    frame('1', 4, [object('bag', { componentId: 2 })]),
  ],
}

/** The configurations. */
export const CONFIGS: readonly Test5Config[] = [OBJECTS, NEW_API, ONE_CONVERTER]
