// Age and Date of what is reused, the query, cookies (RFC 9111 sections 2, 4,
// 5.1 and 7.3).
import { cc, exchanges, refetched, reused } from './lib/case.mjs'

const FRESH = cc('max-age=3600')
const NOW = ['Date', 0]
const FUTURE = ['Expires', 30 * 24 * 60 * 60]

const after = (...expected) => ({
  wait: true,
  second: { expected_response_headers: expected }
})

const later = reused('required', [
  ['atlas-hit-age', 'Age is the time spent here', [FRESH, NOW],
    after(['Age', '>', 2])],
  ['atlas-hit-age-no-date', 'Also without a Date of the origin\'s choice',
    [FRESH], after(['Age', '>', 2])],
  ['atlas-hit-age-expires', 'Also with Expires', [FUTURE, NOW],
    after(['Age', '>', 2])],
  ['atlas-hit-age-30', 'And what the origin said', [FRESH, NOW, ['Age', '30']],
    after(['Age', '>', 32])],
  ['atlas-hit-age-30-expires', 'Also with Expires, after an Age',
    [FUTURE, NOW, ['Age', '30']], after(['Age', '>', 32])],
  ['atlas-hit-date', 'Date stays what it was, with max-age', [FRESH, NOW],
    after(['Date', 0])],
  ['atlas-hit-date-expires', 'And with Expires', [FUTURE, NOW],
    after(['Date', 0])],
  ['atlas-hit-date-past', 'Also when it is behind our clock',
    [FRESH, ['Date', -100]], after(['Date', -100])],
  ['atlas-hit-date-future', 'Also when it is ahead of it',
    [FRESH, ['Date', 100]], after(['Date', 100])],
  ['atlas-hit-expires', 'So does Expires', [FUTURE, NOW],
    after(['Expires', 30 * 24 * 60 * 60])]
])

const key = [
  ...refetched('required', [
    ['atlas-query-other', 'Another query is another resource', [FRESH],
      { first: { query_arg: 'a=1' }, second: { query_arg: 'a=2' } }],
    ['atlas-query-none', 'So is no query', [FRESH],
      { first: { query_arg: 'a=1' } }],
    ['atlas-query-added', 'So is one where there was none', [FRESH],
      { second: { query_arg: 'a=1' } }],
    ['atlas-query-case', 'So is one in other letters', [FRESH],
      { first: { query_arg: 'a=x' }, second: { query_arg: 'a=X' } }],
    ['atlas-path-other', 'So is another path', [FRESH],
      { first: { filename: 'a' }, second: { filename: 'b' } }],
    ['atlas-path-case', 'So is one in other letters', [FRESH],
      { first: { filename: 'a' }, second: { filename: 'A' } }]
  ]),
  ...reused('optimal', [
    ['atlas-query-same', 'The same query is the same resource', [FRESH],
      { both: { query_arg: 'a=1&b=%20x' } }],
    ['atlas-query-expires', 'Also with Expires', [FUTURE, NOW],
      { both: { query_arg: 'a=1' } }]
  ])
]

const COOKIE = { request_headers: [['Cookie', 'a=b']] }

const cookies = [
  ...reused('optimal', [
    ['atlas-set-cookie', 'What sets a cookie is reused',
      [FRESH, ['Set-Cookie', 'a=b']],
      { second: { expected_response_headers: [['Set-Cookie', 'a=b']] } }],
    ['atlas-cookie', 'For a request with a cookie', [FRESH],
      { second: COOKIE }],
    ['atlas-cookie-both', 'Also what was stored for one', [FRESH],
      { both: COOKIE }],
    ['atlas-cookie-first', 'And for one without', [FRESH], { first: COOKIE }]
  ])
]

// A miss adds no second that has not passed.
const miss = exchanges('required', [
  ['atlas-miss-age', 'Age of what is passed on is the origin\'s',
    {
      response_headers: [cc('max-age=10000'), ['Age', '7200']],
      expected_type: 'not_cached'
    }
  ]
])

export default [...later, ...key, ...cookies, ...miss]
