import { without, withoutKafka } from '../brokers/index.ts'
import { startKafkaSite } from './kafka-site.ts'
import { startMosquittoSite } from './mosquitto-site.ts'
import type { OutageRow } from './site.ts'

/** Every adaptor and driver with a real broker. Mosquitto writes its store at its orderly end only: it is not killed. */
export const OUTAGE_ROWS: readonly OutageRow[] = [
  {
    name: 'mqtt',
    faults: ['stopped', 'frozen', 'reset'],
    skip: () => without('mosquitto', 'mosquitto_pub'),
    start: startMosquittoSite,
  },
  {
    name: 'kafka',
    faults: ['stopped', 'frozen', 'killed', 'reset'],
    skip: () => withoutKafka('kcat'),
    start: (quick) => startKafkaSite(quick, {}),
  },
]
