// Writes the table of results into a page, between its markers.
//
//   node table.mjs DIR PAGE CACHE=VERSION...
//
// The first cache is Atlas; DIR holds a results-CACHE.json of each. Fails when
// another passes as many required or optimal cases.
import fs from 'node:fs'

const [dir, page, ...columns] = process.argv.slice(2)
const BEGIN = '<!-- table: written by make conformance-peers -->'
const END = '<!-- table end -->'
const NAMES = {
  atlas: 'Atlas',
  nginx: 'nginx',
  varnish: 'Varnish',
  trafficserver: 'Traffic Server',
  squid: 'Squid'
}

const caches = columns.map(column => {
  const [name, version] = column.split('=')
  const file = `${dir}/results-${name}.json`
  const cases = Object.values(JSON.parse(fs.readFileSync(file)))
  return { name: NAMES[name], version, cases }
})

function count (cases, chosen) {
  const all = cases.filter(chosen)
  const passed = all.filter(({ verdict }) => verdict === 'pass')
  return { passed: passed.length, total: all.length }
}

function row (title, chosen) {
  const { total } = count(caches[0].cases, chosen)
  const counts = caches.map(({ cases }) => count(cases, chosen).passed)
  return [title, total, ...counts]
}

const kind = name => one => one.kind === name
const judged = set => one =>
  one.set === set && (one.kind === 'required' || one.kind === 'optimal')

const line = cells => `| ${cells.join(' | ')} |`

function table (first, rows) {
  const names = caches.map(({ name }) => name)
  return [
    line([first, 'cases', ...names]),
    line(['---', ...['', ...names].map(() => '---:')]),
    ...rows.map(line)
  ]
}

function kinds () {
  return [
    row('required', kind('required')),
    row('optimal', kind('optimal')),
    row('check: answered "yes"', kind('check')),
    row('ours', kind('atlas'))
  ]
}

function sets () {
  const ids = new Set(caches[0].cases.map(({ set }) => set))
  return [...ids].map(set => row(set, judged(set)))
    .filter(([, total]) => total > 0)
}

// Where Atlas is not before another, by the rows of kinds().
function behind (rows) {
  const found = []
  for (const [title, , atlas, ...others] of rows.slice(0, 2)) {
    others.forEach((passed, i) => {
      if (passed >= atlas) {
        found.push(`${title}: ${caches[i + 1].name} ${passed}, Atlas ${atlas}`)
      }
    })
  }
  return found
}

function write (text) {
  const before = fs.readFileSync(page, 'utf8')
  const [begin, end] = [before.indexOf(BEGIN), before.indexOf(END)]
  if (begin < 0 || end < begin) throw new Error(`${page} has no markers`)
  fs.writeFileSync(page,
    `${before.slice(0, begin)}${BEGIN}\n\n${text}\n\n${before.slice(end)}`)
}

const rows = kinds()
const versions = caches.map(({ name, version }) => `${name} ${version}`)
write([
  `Versions: ${versions.join(', ')}.`,
  '',
  ...table('kind', rows),
  '',
  'Required and optimal cases passed, by the suite\'s sections:',
  '',
  ...table('section', sets())
].join('\n'))
for (const cells of [['kind', 'cases', ...versions], ...rows]) {
  console.log(cells.join('\t'))
}
const found = behind(rows)
for (const complaint of found) {
  console.log(`FAILED: Atlas is not before: ${complaint}`)
}
process.exitCode = found.length > 0 ? 1 : 0
