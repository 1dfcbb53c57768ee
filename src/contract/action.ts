/** A command from the cloud, decoded and checked. */
export interface Command {
  /** The sender's id for it; the reply carries it. */
  readonly id: string
  /** What to do: the name of an action. */
  readonly command: string
  /** Arguments; each action checks its own. */
  readonly args: Readonly<Record<string, unknown>>
}

/** What an action is handed beside the command. */
export interface ActionContext {
  /** The device that carries it out. */
  readonly deviceId: string
  /** Aborted when the agent stops. */
  readonly signal: AbortSignal
}

/** A verb that commands can name. */
export interface Action {
  /** The name, in lower case with hyphens. */
  readonly name: string
  /** One sentence on what it does. */
  readonly summary: string
  /**
   * Carries the command out and gives the reply's result, a JSON value.
   *
   * @throws BackhaulError `COMMAND_INVALID` when the arguments do not fit.
   */
  run(command: Command, context: ActionContext): Promise<unknown>
}
