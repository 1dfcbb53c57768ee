import type { GroupMember } from './group-protocol.ts'
import type { Place } from './offsets.ts'
import { placeName } from './offsets.ts'

/*
 * Sharing out partitions so that as few as can be move, in the manner of Kafka's cooperative-sticky (KIP-429): whoever has a partition keeps
 * it, unless that leaves somebody with two fewer than another who could have it. A partition that is to move is given to nobody in this round:
 * its owner gives it up and joins again, and in that round it is free. So no partition ever has two owners.
 */

/** A member and what it is to have in the end. */
interface Share {
  readonly member: GroupMember
  readonly wants: ReadonlySet<string>
  readonly places: Place[]
}

/**
 * Shares out partitions for one round.
 *
 * @param counts - how many partitions each topic has
 */
export function assignSticky(
  members: readonly GroupMember[],
  counts: ReadonlyMap<string, number>,
): Map<string, Place[]> {
  const shares = [...members]
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .map((member): Share => ({ member, wants: new Set(member.topics), places: [] }))
  const owners = ownersOf(shares)
  const free: Place[] = []
  for (const place of placesOf(shares, counts)) {
    const owner = owners.get(placeName(place))
    if (owner?.wants.has(place.topic) === true) owner.places.push(place)
    else free.push(place)
  }
  for (const place of free) leastOf(shares, place)?.places.push(place)
  balance(shares)
  return new Map(
    shares.map((share) => {
      const now = share.places.filter((place) => (owners.get(placeName(place)) ?? share) === share)
      return [share.member.id, now]
    }),
  )
}

/** Who has each partition: the one of the latest generation; of two of one generation, neither. */
function ownersOf(shares: readonly Share[]): Map<string, Share> {
  const owners = new Map<string, Share>()
  const disputed = new Set<string>()
  for (const share of shares) {
    for (const place of share.member.owned) {
      const name = placeName(place)
      const other = owners.get(name)
      if (other === undefined || other.member.generation < share.member.generation) {
        owners.set(name, share)
        disputed.delete(name)
      } else if (other.member.generation === share.member.generation) disputed.add(name)
    }
  }
  for (const name of disputed) owners.delete(name)
  return owners
}

function placesOf(shares: readonly Share[], counts: ReadonlyMap<string, number>): Place[] {
  const topics = [...new Set(shares.flatMap(({ member }) => member.topics))].toSorted()
  return topics.flatMap((topic) =>
    Array.from({ length: counts.get(topic) ?? 0 }, (_, index): Place => ({ topic, index })),
  )
}

function leastOf(shares: readonly Share[], { topic }: Place): Share | undefined {
  let least: Share | undefined
  for (const share of shares) {
    if (share.wants.has(topic) && (least === undefined || share.places.length < least.places.length))
      least = share
  }
  return least
}

/** Moves partitions from those who have more to those who have at least two fewer, until there is none to move. */
function balance(shares: readonly Share[]): void {
  // each move makes the squares of the sizes smaller, so that it ends
  for (let moved = true; moved;) {
    moved = false
    for (const donor of [...shares].toSorted((a, b) => b.places.length - a.places.length)) {
      for (let at = donor.places.length - 1; at >= 0; at -= 1) {
        const place = donor.places[at]
        const least = place && leastOf(shares, place)
        if (place === undefined || least === undefined || least.places.length > donor.places.length - 2)
          continue
        donor.places.splice(at, 1)
        least.places.push(place)
        moved = true
      }
    }
  }
}
