/** The two that are compared. */
export type SideName = 'backhaul' | 'mqttjs'

/** One row of the table: what each side does in every round. */
export interface Row {
  /** Publish, or receive what a third process publishes. */
  readonly direction: 'publish' | 'subscribe'
  /** The protocol version. */
  readonly version: '5' | '3.1.1'
  /** Payload bytes of each message. */
  readonly bytes: number
  /** How many messages a round has. */
  readonly messages: number
}

/** How many messages a publisher has on their way at once. */
export const IN_FLIGHT = 500

/** A client of one library, connected to the broker. */
export interface Side {
  /** Publishes so many messages with QoS 1; resolves when the broker has acknowledged the last one. */
  publish(topic: string, payload: Uint8Array, messages: number): Promise<void>
  /** Subscribes with QoS 1; `received` is called for each message, which is acknowledged after it. */
  subscribe(topic: string, received: () => void): Promise<void>
  /** Ends it. */
  close(): Promise<void>
}
