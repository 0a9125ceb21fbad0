// What a 304 from the origin changes of the copy that it confirms (RFC 9111
// sections 3.2 and 4.3.4).
import { AGED, cc, exchanges } from './lib/case.mjs'

const TAG = ['ETag', '"abcdef"']
const MODIFIED = ['Last-Modified', 'Wed, 01 Jan 2025 00:00:00 GMT']
const STALE = [cc('max-age=10'), AGED]

// Once stale, once confirmed: then the copy is fresh for long.
const update = (validator, before, after, expected, more = {}) => [
  { response_headers: [...STALE, validator, ...before], setup: true, ...more },
  {
    response_headers: [cc('max-age=3600'), validator, ...after],
    expected_type: validator === TAG ? 'etag_validated' : 'lm_validated',
    expected_status: 200,
    expected_response_headers: expected,
    ...more
  },
  {
    expected_type: 'cached',
    expected_response_headers: expected,
    ...more
  }
]

const kept = exchanges('required', [
  ['atlas-304-keeps', 'A field that the 304 lacks stays (by tag)',
    ...update(TAG, [['Test-Header', 'A']], [], [['Test-Header', 'A']])],
  ['atlas-304-keeps-lm', 'A field that the 304 lacks stays (by date)',
    ...update(MODIFIED, [['Test-Header', 'A']], [], [['Test-Header', 'A']])],
  ['atlas-304-keeps-type', 'So does Content-Type',
    ...update(TAG, [['Content-Type', 'text/x-own']],
      [['Content-Type', 'text/x-own']], [['Content-Type', 'text/x-own']])]
])

// The 304 without that field in the answer's own words: `false` keeps the
// engine from asking for it.
const replaced = rows => exchanges('required',
  rows.map(([id, name, before, after]) => [id, `${name} of the 304 counts`,
    ...update(TAG, [[name, before]], [[name, after]], [[name, after]])]))

const updated = [
  ...replaced([
    ['atlas-304-test-header', 'Test-Header', 'A', 'B'],
    ['atlas-304-x-test-header', 'X-Test-Header', 'A', 'B'],
    ['atlas-304-content-foo', 'Content-Foo', 'A', 'B'],
    ['atlas-304-x-content-foo', 'X-Content-Foo', 'A', 'B']
  ]),
  ...exchanges('required', [
    ['atlas-304-lm-test-header', 'Also where the date confirmed it',
      ...update(MODIFIED, [['Test-Header', 'A']], [['Test-Header', 'B']],
        [['Test-Header', 'B']])],
    ['atlas-304-new-field', 'A field that was not there is added',
      ...update(TAG, [], [['Test-Header', 'B']], [['Test-Header', 'B']])],
    ['atlas-304-lines', 'Lines take the place of lines',
      ...update(TAG, [['Test-Header', 'A'], ['Test-Header', 'B']],
        [['Test-Header', 'C']], [['Test-Header', 'C']])]
  ])
]

// `compared: false`: what is sent with the 304 is not what the client gets.
const length = exchanges('required', [
  ['atlas-304-content-length', 'Content-Length of the 304 does not count',
    ...update(TAG, [], [['Content-Length', '10', false]],
      [['Content-Length', '36']])]
])

const lifetime = exchanges('required', [
  ['atlas-304-cache-control', 'Cache-Control of the 304 counts',
    ...update(TAG, [], [], [['Cache-Control', 'max-age=3600']])],
  ['atlas-304-longer', 'The copy lives as long as the 304 says',
    {
      response_headers: [cc('max-age=1'), TAG],
      setup: true,
      pause_after: true
    },
    {
      response_headers: [cc('max-age=3600'), TAG],
      expected_type: 'etag_validated',
      expected_response_headers: [['Cache-Control', 'max-age=3600']],
      pause_after: true
    },
    {
      expected_type: 'cached',
      expected_response_headers: [['Cache-Control', 'max-age=3600']]
    }
  ],
  ['atlas-304-shorter', 'And no longer than that',
    { response_headers: [cc('max-age=10'), AGED, TAG], setup: true },
    {
      response_headers: [cc('max-age=1'), TAG],
      expected_type: 'etag_validated',
      pause_after: true
    },
    { expected_type: 'etag_validated', expected_status: 200 }
  ],
  ['atlas-304-no-cache', 'A no-cache of the 304 counts',
    { response_headers: [cc('max-age=10'), AGED, TAG], setup: true },
    {
      response_headers: [cc('no-cache'), TAG],
      expected_type: 'etag_validated'
    },
    { expected_type: 'etag_validated', expected_status: 200 }
  ]
])

export default [...kept, ...updated, ...length, ...lifetime]
