/** The first two lines of a Markdown table; all columns but the first hold numbers. */
export function tableHead(columns: readonly string[]): string {
  return `${tableLine(columns)}\n${tableLine(columns.map((_, index) => (index === 0 ? '---' : '--:')))}`
}

/** One line of a Markdown table. */
export function tableLine(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`
}

/** A payload's size in words. */
export function sizeText(bytes: number): string {
  return bytes < 1024 ? `${bytes} B` : `${bytes / 1024} KB`
}
