// Directives of a response that are not about how long it is fresh
// (RFC 9111 sections 5.2.2.2 to 5.2.2.7).
import { cc, dated, exchanges, expired, refetched, reused, validated }
  from './lib/case.mjs'

const FUTURE = ['Expires', 10000]
const NOW = ['Date', 0]
const TAG = ['ETag', '"abcd"']

const forbidden = refetched('required', [
  ['atlas-cc-private', 'private is not for a shared cache',
    [cc('private')]],
  ['atlas-cc-private-fresh', 'Nor when it is fresh',
    [cc('private, max-age=3600')]],
  ['atlas-cc-private-after', 'Nor when it says so last',
    [cc('max-age=3600, private')]],
  ['atlas-cc-private-expires', 'Nor with Expires',
    [cc('private'), FUTURE, NOW]],
  ['atlas-cc-private-case', 'Nor in other letters',
    [cc('PrIvAtE, max-age=3600')]],
  ['atlas-cc-private-lines', 'Nor on a line of its own',
    [cc('max-age=3600'), cc('private')]],
  ['atlas-cc-private-s-maxage', 'Nor with s-maxage',
    [cc('private, s-maxage=3600')]],
  ['atlas-cc-no-store', 'no-store is not stored', [cc('no-store')]],
  ['atlas-cc-no-store-case', 'Nor in other letters', [cc('No-StOrE')]],
  ['atlas-cc-no-store-fresh', 'Nor with max-age and Expires',
    [cc('max-age=10000, no-store'), FUTURE, NOW]],
  ['atlas-cc-no-store-first', 'Nor when it says so first',
    [cc('no-store, max-age=10000')]],
  ['atlas-cc-no-store-lines', 'Nor on a line of its own',
    [cc('max-age=10000'), cc('no-store')]],
  ['atlas-cc-no-store-case-fresh', 'Nor in other letters with max-age',
    [cc('max-age=10000, NO-STORE')]]
])

const unvalidated = expired('required', [
  ['atlas-cc-no-cache', 'no-cache is not used as it is', [cc('no-cache')]],
  ['atlas-cc-no-cache-fresh', 'Nor with max-age and Expires',
    [cc('max-age=10000, no-cache'), FUTURE, NOW]],
  ['atlas-cc-no-cache-expires', 'Nor with Expires',
    [cc('no-cache'), FUTURE, NOW]],
  ['atlas-cc-no-cache-case', 'Nor in other letters',
    [cc('max-age=10000, No-CaChE'), FUTURE, NOW]],
  ['atlas-cc-no-cache-lines', 'Nor on a line of its own',
    [cc('max-age=10000'), cc('no-cache')]]
])

const noCache = [
  ...validated('optimal', [
    ['atlas-cc-no-cache-tag', 'no-cache is stored, and validated by its tag',
      [cc('no-cache'), TAG], { second: { expected_status: 200 } }],
    ['atlas-cc-no-cache-tag-fresh', 'Also with max-age and Expires',
      [cc('max-age=10000, no-cache'), FUTURE, NOW, TAG],
      { second: { expected_status: 200 } }],
    ['atlas-cc-no-cache-tag-case', 'Also in other letters',
      [cc('max-age=10000, NO-cache'), TAG],
      { second: { expected_status: 200 } }]
  ]),
  ...dated('optimal', [
    ['atlas-cc-no-cache-date', 'Or by its date',
      [cc('max-age=10000, no-cache'), ['Last-Modified', -3000], NOW],
      { second: { expected_status: 200 } }]
  ]),
  ...exchanges('optimal', [
    ['atlas-cc-no-cache-each-time', 'It is validated each time',
      { response_headers: [cc('no-cache'), TAG], setup: true },
      {
        response_headers: [cc('no-cache'), TAG],
        expected_type: 'etag_validated'
      },
      { expected_type: 'etag_validated', expected_status: 200 }
    ]
  ])
]

// What the origin would say is not known until it is asked.
const kept = exchanges('required', [
  ['atlas-cc-fresh-before-no-store', 'A fresh copy outlives a later no-store',
    { response_headers: [cc('max-age=10000'), ['a', '1']], setup: true },
    {
      response_headers: [cc('no-store'), ['a', '2']],
      expected_type: 'cached',
      expected_response_headers: [['a', '1']]
    }
  ],
  ['atlas-cc-fresh-before-max-age-0', 'And a later max-age=0',
    { response_headers: [cc('max-age=10000'), ['a', '1']], setup: true },
    {
      response_headers: [cc('max-age=0'), ['a', '2']],
      expected_type: 'cached',
      expected_response_headers: [['a', '1']]
    }
  ],
  ['atlas-cc-fresh-before-other', 'And is used time and again',
    { response_headers: [cc('max-age=10000'), ['a', '1']], setup: true },
    { response_headers: [cc('no-store')], expected_type: 'cached' },
    {
      response_headers: [cc('private')],
      expected_type: 'cached',
      expected_response_headers: [['a', '1']]
    }
  ]
])

const mustRevalidate = [
  ...reused('optimal', [
    ['atlas-cc-must-revalidate-fresh', 'must-revalidate is reused while fresh',
      [cc('max-age=10000, must-revalidate'), TAG]],
    ['atlas-cc-proxy-revalidate-fresh', 'proxy-revalidate likewise',
      [cc('max-age=10000, proxy-revalidate'), TAG]]
  ]),
  ...validated('required', [
    ['atlas-cc-must-revalidate-stale', 'It is validated once it is stale',
      [cc('max-age=2, must-revalidate'), TAG],
      { wait: true, second: { expected_status: 200 } }],
    ['atlas-cc-must-revalidate-aged', 'Also when it was stale on arrival',
      [cc('max-age=2, must-revalidate'), TAG, ['Age', '2']],
      { second: { expected_status: 200 } }]
  ]),
  ...exchanges('required', [
    ['atlas-cc-must-revalidate-later', 'Also after it was reused',
      {
        response_headers: [cc('max-age=2, must-revalidate'), TAG],
        setup: true
      },
      {
        response_headers: [cc('max-age=2, must-revalidate'), TAG],
        expected_type: 'cached',
        pause_after: true,
        setup: true
      },
      { expected_type: 'etag_validated', expected_status: 200 }
    ]
  ])
]

export default [
  ...forbidden, ...unvalidated, ...noCache, ...kept, ...mustRevalidate
]
