// Loads the cases: the suite's, and ours from cases/*.mjs.
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const ours = path.join(path.dirname(fileURLToPath(import.meta.url)), 'cases')

/** The id of the set that holds the cases of a file of ours. */
export const OURS = 'atlas'

async function suiteSets (suite) {
  const { default: sets } = await import(`${suite}/tests/index.mjs`)
  const { default: surrogate } =
    await import(`${suite}/tests/surrogate-control.mjs`)
  return [...sets, surrogate]
}

async function ourSet () {
  const tests = []
  const files = fs.readdirSync(ours).filter(name => name.endsWith('.mjs'))
  for (const file of files.sort()) {
    const module = await import(pathToFileURL(path.join(ours, file)))
    tests.push(...module.default)
  }
  for (const { id } of tests) {
    if (!/^atlas-[a-z0-9-]+$/.test(id)) {
      throw new Error(`a case of ours is called "${id}", not "atlas-..."`)
    }
  }
  return { name: 'Atlas', id: OURS, tests }
}

function check (sets) {
  const seen = new Set()
  for (const test of sets.flatMap(set => set.tests)) {
    if (seen.has(test.id)) throw new Error(`two cases are called ${test.id}`)
    seen.add(test.id)
  }
}

/** Every set of cases that a shared cache can be asked, the browser's not. */
export async function loadSets (suite) {
  const sets = [...await suiteSets(suite), await ourSet()]
  check(sets)
  return sets.map(set => ({
    ...set,
    tests: set.tests.filter(test => test.browser_only !== true)
  }))
}

/** What a case counts as: atlas, or the suite's required, optimal, check. */
export function kindOf (set, test) {
  return set.id === OURS ? OURS : test.kind ?? 'required'
}
