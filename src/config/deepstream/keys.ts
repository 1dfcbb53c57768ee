/**
 * The keys of DeepStream's application configuration, as far as messaging is concerned. Groups that are not here are left
 * alone. `used` keys become something here; `idle` keys are known and do nothing here, each with the reason.
 */

/** The keys of a kind of group. */
export interface GroupKeys {
  /** Keys that become something here. */
  readonly used: readonly string[]
  /** Keys of messaging that have no effect here, and why. */
  readonly idle: Readonly<Record<string, string>>
  /** Keys that belong to video, which is not read from here. */
  readonly video: readonly string[]
}

const NOT_YET = 'recording is not part of this version'
const NO_DEBUG = 'payloads are not written to a folder'
const ONE_PAYLOAD = 'the built-in converter makes what it makes'
const OUTBOX = 'the outbox takes the place of the queue before the broker'

/** Keys of the converter, in `[sinkN]` and `[message-converter]`. */
const CONVERTER_USED = [
  'enable',
  'msg-conv-config',
  'msg-conv-payload-type',
  'msg-conv-msg2p-lib',
  'msg-conv-comp-id',
  'msg-conv-msg2p-new-api',
  'msg-conv-frame-interval',
]
const CONVERTER_IDLE = {
  'debug-payload-dir': NO_DEBUG,
  'multiple-payloads': ONE_PAYLOAD,
  'msg-conv-embedding-filter': 'there is no 3-D path',
}

/** The groups whose keys are read. */
export const GROUP_KEYS = {
  sink: {
    used: [
      ...CONVERTER_USED,
      'type',
      'msg-conv-dummy-payload',
      'msg-broker-proto-lib',
      'msg-broker-conn-str',
      'msg-broker-config',
      'msg-broker-comp-id',
      'topic',
      'disable-msgconv',
      'new-api',
    ],
    idle: { ...CONVERTER_IDLE, 'sleep-time': OUTBOX, sync: OUTBOX, qos: OUTBOX },
    video: words(
      `bitrate codec color-range compute-hw conn-id container copy-meta enc-type height iframeinterval link-to-demux
      nvdslogger output-file output-io-mode plane-id profile rtsp-port set-mode show-fps show-latency source-id sw-preset
      udp-buffer-size udp-port width gpu-id nvbuf-memory-type`,
    ),
  },
  source: {
    used: ['enable', 'camera-id', 'csv-file-path'],
    idle: {
      'smart-record': NOT_YET,
      'smart-rec-dir-path': NOT_YET,
      'smart-rec-file-prefix': NOT_YET,
      'smart-rec-cache': NOT_YET,
      'smart-rec-video-cache': NOT_YET,
      'smart-rec-container': NOT_YET,
      'smart-rec-start-time': NOT_YET,
      'smart-rec-duration': NOT_YET,
      'smart-rec-default-duration': NOT_YET,
      'smart-rec-interval': NOT_YET,
    },
    video: words(
      `alsa-device buffer-mode camera-csi-sensor-id camera-fps-d camera-fps-n camera-height camera-v4l2-dev-node
      camera-width copy-hw cudadec-memtype drop-frame-interval drop-on-latency extract-sei-type5-data
      gpu-id init-rtsp-reconnect-interval-sec intra-decode-enable latency leaky low-latency-decode max-size-buffers
      num-decode-surfaces num-extra-surfaces num-sources nvbuf-memory-type rtsp-reconnect-attempts
      rtsp-reconnect-interval-sec select-rtp-protocol sensorID-padID-mapping set-rtp-protocol simulate-fps-interval-ms
      source-id type udp-buffer-size uri video-format`,
    ),
  },
  'source-list': {
    used: ['sensor-id-list', 'dummy-payload'],
    idle: {
      'enable-error-propagation': 'errors show in health and in the log',
      'proto-lib': 'errors show in health and in the log',
      'conn-str': 'errors show in health and in the log',
      topic: 'errors show in health and in the log',
    },
    video: words(
      `num-source-bins list sensor-name-list use-nvmultiurisrcbin stream-name-display http-ip http-port max-batch-size
      sgie-batch-size low-latency-mode extract-sei-type5-data sei-uuid enable gpu-id`,
    ),
  },
  'message-converter': {
    used: CONVERTER_USED,
    idle: { ...CONVERTER_IDLE, 'msg-conv-dummy-payload': 'the original does not apply it here either' },
    video: [],
  },
  'message-consumer': {
    used: ['enable', 'proto-lib', 'conn-str', 'config-file', 'subscribe-topic-list', 'sensor-list-file'],
    idle: {},
    video: [],
  },
} as const satisfies Record<string, GroupKeys>

/** A kind of group whose keys are read. */
export type GroupKind = keyof typeof GROUP_KEYS

/** Groups that the original knows and that do not concern messaging. */
const VIDEO_GROUPS: readonly string[] = words(
  `application tests source-attr-all streammux osd segvisual pre-process primary-gie tracker visionencoder text-embedder
  replay tiled-display img-save nvds-analytics ds-example`,
)
const VIDEO_PREFIXES = ['secondary-gie', 'secondary-pre-process', 'dewarper']

/** The kind of a group by its name; `video` where it does not concern messaging, `undefined` where nobody knows it. */
export function kindOf(name: string): GroupKind | 'video' | undefined {
  if (name === 'source-list' || name === 'message-converter') return name
  if (VIDEO_GROUPS.includes(name)) return 'video'
  if (name.startsWith('message-consumer')) return 'message-consumer'
  if (name.startsWith('source')) return 'source'
  if (name.startsWith('sink')) return 'sink'
  return VIDEO_PREFIXES.some((prefix) => name.startsWith(prefix)) ? 'video' : undefined
}

/** Every key that is known in a kind of group. */
export function knownKeys(kind: GroupKind): readonly string[] {
  const { used, idle, video } = GROUP_KEYS[kind]
  return [...used, ...Object.keys(idle), ...video]
}

/** Whether a key is one of messaging by its name alone, so that a mistyped one is an error wherever it stands. */
export function isMessagingKey(key: string): boolean {
  return key.startsWith('msg-') || key.startsWith('smart-rec')
}

function words(text: string): string[] {
  return text.split(/\s+/)
}
