// Judges results.
//
//   node report.mjs RESULTS SUMMARY [EXPECTED]
//
// Prints passed of total per kind, and writes them to SUMMARY. With EXPECTED,
// a list of "ID  REASON" lines, says where the results differ from it: a case
// that fails and is not listed, one that passes and is, one that is unknown.
import fs from 'node:fs'

const [resultsFile, summaryFile, expectedFile] = process.argv.slice(2)
const KINDS = ['required', 'optimal', 'check', 'atlas']

function summaryOf (results) {
  const entries = Object.entries(results)
  return KINDS.map(kind => {
    const ofKind = entries.filter(([, result]) => result.kind === kind)
    const failed = ofKind.filter(([, result]) => result.verdict !== 'pass')
    return {
      kind,
      passed: ofKind.length - failed.length,
      total: ofKind.length,
      failed: failed.map(([id]) => id)
    }
  })
}

// The lines of the list as a map of id to reason.
function readExpected (file, complaints) {
  const reasons = new Map()
  for (const line of fs.readFileSync(file, 'utf8').split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const [, id, reason] = /^(\S+)\s*(.*)$/.exec(line)
    if (reason === '') complaints.push(`${id} is listed without a reason`)
    if (reasons.has(id)) complaints.push(`${id} is listed twice`)
    reasons.set(id, reason)
  }
  return reasons
}

function compare (results, file) {
  const complaints = []
  const reasons = readExpected(file, complaints)
  for (const [id, { kind, verdict, message }] of Object.entries(results)) {
    const listed = reasons.delete(id)
    if (verdict === 'pass' && listed) {
      complaints.push(`${id} (${kind}) passes: take it off the list`)
    } else if (verdict !== 'pass' && !listed) {
      complaints.push(`${id} (${kind}): ${verdict}. ${message}`)
    }
  }
  for (const id of reasons.keys()) {
    complaints.push(`${id} is listed, and there is no such case`)
  }
  return complaints
}

const results = JSON.parse(fs.readFileSync(resultsFile))
const summary = summaryOf(results)
fs.writeFileSync(summaryFile, JSON.stringify(summary, null, 2) + '\n')
for (const { kind, passed, total } of summary) {
  console.log(`  ${kind}: ${passed} of ${total}`)
}
const complaints = expectedFile ? compare(results, expectedFile) : []
for (const complaint of complaints) console.log(`FAILED: ${complaint}`)
if (complaints.length > 0) {
  console.log('What is expected is in tests/conformance/expected.txt.')
}
const passed = summary.reduce((sum, kind) => sum + kind.passed, 0)
console.log(`${passed} passed, ${complaints.length} failed`)
process.exitCode = complaints.length > 0 ? 1 : 0
