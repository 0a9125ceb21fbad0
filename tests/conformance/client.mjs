// Runs the cases through a cache, with the suite's own engine, and writes
// what came of each: an object of id: {kind, set, verdict, message}.
//
//   node client.mjs SUITE BASE_URL RESULTS [ID...]
//
// With ids, only those run, and every message on the wire is shown.
import fs from 'node:fs'
import { kindOf, loadSets } from './suite.mjs'

const [suite, base, results, ...only] = process.argv.slice(2)

// Cases that run at once. They spend their time in pauses of 3 s; more at once
// than this and the machine, not the cache, makes a 2 s lifetime pass.
const AT_ONCE = 100

// The marks of the suite's verdicts, spelled out.
const VERDICTS = {
  '✅': 'pass',
  Y: 'pass',
  '⛔️': 'fail',
  '⚠️': 'fail',
  N: 'fail',
  '🔹': 'setup failed',
  '⁉️': 'harness failed',
  '⚪️': 'depends on a failed case',
  '↻': 'retried',
  '-': 'not run'
}

const { runTests, getResults } = await import(`${suite}/client/runner.mjs`)
const display = await import(`${suite}/lib/display.mjs`)
const { default: fetch } =
  await import(`${suite}/../node-fetch/lib/index.mjs`)

// The engine runs a hundred at once and waits for the slowest of them: those
// with as many pauses go together.
function byPauses (sets) {
  const pauses = ({ requests }) =>
    requests.filter(request => 'pause_after' in request).length
  return [{
    tests: sets.flatMap(set => set.tests)
      .sort((a, b) => pauses(a) - pauses(b))
  }]
}

function chosen (sets) {
  if (only.length === 0) return sets
  const tests = sets.flatMap(set => set.tests)
  for (const id of only) {
    if (!tests.some(test => test.id === id)) {
      throw new Error(`there is no case "${id}"`)
    }
  }
  return sets.map(set => ({
    ...set,
    tests: set.tests.filter(test => only.includes(test.id))
      .map(test => ({ ...test, dump: true }))
  }))
}

// Of cases run alone, those they depend on have no result.
function verdictOf (sets, test, raw) {
  const mark = display.determineTestResult(sets, test.id, raw,
    only.length === 0)[2]
  if (!(mark in VERDICTS)) throw new Error(`unknown verdict "${mark}"`)
  return VERDICTS[mark]
}

function messageOf (test, result) {
  if (Array.isArray(result)) return `${result[0]}: ${result[1]}`
  return test.depends_on ? `It depends on ${test.depends_on.join(', ')}.` : ''
}

function outcome (sets, set, test, raw) {
  const verdict = verdictOf(sets, test, raw)
  return {
    kind: kindOf(set, test),
    set: set.id,
    verdict,
    message: verdict === 'pass' ? '' : messageOf(test, raw[test.id])
  }
}

const sets = await loadSets(suite)
const toRun = chosen(sets)
await runTests(byPauses(toRun), fetch, false, base, AT_ONCE)
const raw = getResults()
const outcomes = {}
for (const set of toRun) {
  for (const test of set.tests) {
    outcomes[test.id] = outcome(sets, set, test, raw)
  }
}
fs.writeFileSync(results, JSON.stringify(outcomes, null, 2) + '\n')
