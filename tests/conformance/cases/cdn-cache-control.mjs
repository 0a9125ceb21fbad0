// CDN-Cache-Control (RFC 9213): a dictionary of structured fields that counts
// instead of Cache-Control and Expires, where it is valid and not empty.
import { AGED, cc, exchanges, expired, reused, validated }
  from './lib/case.mjs'

const cdn = (value, compared = true) =>
  ['CDN-Cache-Control', value, compared]
const LONG = cdn('max-age=3600')
const NOW = ['Date', 0]
const PAST = ['Expires', -7200]
const FUTURE = ['Expires', 3600]
const TAG = ['ETag', '"abcd"']

const fresh = reused('optimal', [
  ['atlas-cdn-max-age', 'max-age makes fresh', [LONG]],
  ['atlas-cdn-2147483648', 'max-age of 2^31', [cdn('max-age=2147483648')]],
  ['atlas-cdn-99999999999', 'max-age of eleven digits',
    [cdn('max-age=99999999999')]],
  ['atlas-cdn-15-digits', 'The largest number there is',
    [cdn('max-age=999999999999999')]],
  ['atlas-cdn-past-expires', 'It counts before a past Expires',
    [LONG, PAST, NOW]],
  ['atlas-cdn-expires-word', 'And before an Expires that is no date',
    [LONG, ['Expires', '0'], NOW]],
  ['atlas-cdn-short-cc', 'And before a short max-age',
    [LONG, cc('max-age=60'), ['Age', '120']]],
  ['atlas-cdn-cc-0', 'And before max-age=0', [LONG, cc('max-age=0')]],
  ['atlas-cdn-short-s-maxage', 'And before a short s-maxage',
    [LONG, cc('s-maxage=60'), ['Age', '120']]],
  ['atlas-cdn-over-no-cache', 'And before no-cache', [LONG, cc('no-cache')]],
  ['atlas-cdn-unknown-before', 'An unknown directive before it',
    [cdn('foobar, max-age=3600')]],
  ['atlas-cdn-unknown-value', 'An unknown directive with a value of any type',
    [cdn('foo=(a "b" 1.5);x, max-age=3600, bar=:aGk=:')]],
  ['atlas-cdn-lines', 'On two lines', [cdn('foobar'), LONG]],
  ['atlas-cdn-parameter', 'Parameters mean nothing',
    [cdn('max-age=3600;foo=bar')]],
  ['atlas-cdn-twice', 'Of two the last counts',
    [cdn('max-age=0, max-age=3600')]],
  ['atlas-cdn-empty', 'An empty one says nothing',
    [cdn('', false), cc('max-age=3600')]],
  ['atlas-cdn-invalid', 'Nor does one that is no dictionary',
    [cdn('max-age=0, &&&&&'), cc('max-age=3600')]],
  ['atlas-cdn-must-revalidate', 'With must-revalidate, while fresh',
    [cdn('max-age=3600, must-revalidate')]]
])

const wins = [
  ...reused('required', [
    ['atlas-cdn-over-no-store', 'max-age counts before no-store',
      [LONG, cc('no-store')]],
    ['atlas-cdn-over-private', 'And before private', [LONG, cc('private')]]
  ]),
  ...expired('required', [
    ['atlas-cdn-0', 'max-age=0', [cdn('max-age=0')]],
    ['atlas-cdn-0-fresh', 'max-age=0 before a fresh Cache-Control',
      [cdn('max-age=0'), cc('max-age=3600')]],
    ['atlas-cdn-0-expires', 'And before a future Expires',
      [cdn('max-age=0'), FUTURE, NOW]],
    ['atlas-cdn-short', 'A short max-age before a long one',
      [cdn('max-age=60'), cc('max-age=3600'), ['Age', '120']]],
    ['atlas-cdn-short-over', 'Also when it ended here',
      [cdn('max-age=1'), cc('max-age=3600')], { wait: true }],
    ['atlas-cdn-short-s-maxage-long', 'And before a long s-maxage',
      [cdn('max-age=60'), cc('s-maxage=3600'), ['Age', '120']]],
    ['atlas-cdn-aged', 'What arrives older than its lifetime',
      [LONG, ['Age', '7200'], NOW]],
    ['atlas-cdn-private', 'private before a fresh Cache-Control',
      [cdn('private'), cc('max-age=3600')]],
    ['atlas-cdn-private-fresh', 'private with max-age',
      [cdn('private, max-age=3600'), cc('max-age=3600')]],
    ['atlas-cdn-no-cache', 'no-cache before a fresh Cache-Control',
      [cdn('no-cache'), cc('max-age=3600')]],
    ['atlas-cdn-no-store', 'no-store before a fresh Cache-Control',
      [cdn('no-store'), cc('max-age=3600')]],
    ['atlas-cdn-no-store-expires', 'no-store before a future Expires',
      [cdn('no-store'), FUTURE, NOW]],
    ['atlas-cdn-lines-private', 'private on the second of two lines',
      [LONG, cdn('private'), cc('max-age=3600')]],
    ['atlas-cdn-twice-0', 'Of two the last counts, also where it is 0',
      [cdn('max-age=3600, max-age=0'), cc('max-age=3600')]],
    ['atlas-cdn-unknown-only', 'One that says nothing known hides the others',
      [cdn('foobar'), cc('max-age=3600'), FUTURE, NOW]],
    ['atlas-cdn-empty-no-store', 'An empty one hides nothing',
      [cdn('', false), cc('no-store'), FUTURE, NOW]]
  ]),
  ...validated('required', [
    ['atlas-cdn-no-cache-tag', 'no-cache is validated',
      [cdn('no-cache'), cc('max-age=3600'), TAG],
      { second: { expected_status: 200 } }],
    ['atlas-cdn-must-revalidate-stale', 'must-revalidate once it is stale',
      [cdn('max-age=10, must-revalidate'), cc('max-age=3600'), TAG, AGED],
      { second: { expected_status: 200 } }]
  ])
]

// RFC 8941: one error and the whole field is none. Of the wrong type, a
// directive is none.
const FORBIDDEN = cc('no-store')
const invalid = expired('required', [
  ['atlas-cdn-error-after', 'An error after max-age',
    [cdn('max-age=10000, &&&&&'), FORBIDDEN]],
  ['atlas-cdn-error-before', 'An error before it',
    [cdn('&&&&&, max-age=10000'), FORBIDDEN]],
  ['atlas-cdn-error-comma', 'A comma at the end',
    [cdn('max-age=10000,'), FORBIDDEN]],
  ['atlas-cdn-error-line', 'An error on another line',
    [cdn('max-age=10000'), cdn('&&&&&'), FORBIDDEN]],
  ['atlas-cdn-error-case', 'A key in capitals',
    [cdn('MAX-AGE=10000'), FORBIDDEN]],
  ['atlas-cdn-error-space', 'A space before the sign',
    [cdn('max-age =10000'), FORBIDDEN]],
  ['atlas-cdn-error-16-digits', 'A number too large to be one',
    [cdn('max-age=1000000000000000'), FORBIDDEN]],
  ['atlas-cdn-error-alone', 'An error without another Cache-Control',
    [cdn('max-age=10000, &&&&&')]],
  ['atlas-cdn-type-string', 'A string', [cdn('max-age="10000"'), FORBIDDEN]],
  ['atlas-cdn-type-decimal', 'A decimal', [cdn('max-age=10000.5'), FORBIDDEN]],
  ['atlas-cdn-type-token', 'A token', [cdn('max-age=long'), FORBIDDEN]],
  ['atlas-cdn-type-boolean', 'No value', [cdn('max-age'), FORBIDDEN]],
  ['atlas-cdn-type-list', 'A list', [cdn('max-age=(10000)'), FORBIDDEN]],
  ['atlas-cdn-type-alone', 'A string without another Cache-Control',
    [cdn('max-age="10000"')]],
  ['atlas-cdn-negative', 'A negative number',
    [cdn('max-age=-10000'), FORBIDDEN]]
])

// Downstream caches need it, too.
const passed = exchanges('required', [
  ['atlas-cdn-passed-private', 'It is passed on, where it says private',
    { response_headers: [cdn('private'), cc('max-age=3600')] }],
  ['atlas-cdn-passed-no-cache', 'Where it says no-cache',
    { response_headers: [cdn('no-cache'), cc('max-age=3600')] }],
  ['atlas-cdn-passed', 'Where it makes fresh',
    { response_headers: [LONG, cc('no-store')] }],
  ['atlas-cdn-replayed', 'And with what is reused, beside Cache-Control',
    { response_headers: [LONG, cc('max-age=0')], setup: true },
    {
      expected_type: 'cached',
      expected_response_headers: [['CDN-Cache-Control', 'max-age=3600'],
        ['Cache-Control', 'max-age=0']]
    }
  ],
  ['atlas-cdn-close-must-revalidate', 'No stale copy where it forbids that',
    {
      response_headers: [cdn('max-age=10, must-revalidate'), AGED, TAG],
      setup: true
    },
    {
      disconnect: true,
      check_body: false,
      expected_status: 502,
      expected_response_headers_missing: ['Server-Request-Count']
    }
  ]
])

export default [...fresh, ...wins, ...invalid, ...passed]
