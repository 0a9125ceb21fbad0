// When a stale copy is used, and when it must not be (RFC 9111 section 4.2.4,
// RFC 5861).
import { AGED, cc, exchanges, expired, reused } from './lib/case.mjs'

const TAG = ['ETag', '"abcd"']
const WINDOW = [cc('max-age=10, stale-while-revalidate=60'), AGED]

// Of the stale copy, while the origin is asked in the background. No
// `expected_type`: the engine would take the request for one that the origin
// never sees.
const STALE = { expected_response_headers: [['Server-Request-Count', '1']] }

const whileRevalidate = [
  ...reused('optimal', [
    ['atlas-swr-served', 'Inside the window the stale copy is served', WINDOW],
    ['atlas-swr-served-later', 'Also when it became stale here',
      [cc('max-age=1, stale-while-revalidate=60')], { wait: true }]
  ]),
  ...exchanges('optimal', [
    ['atlas-swr-refreshes', 'And replaced in the background',
      { response_headers: WINDOW, setup: true },
      {
        ...STALE,
        response_headers: [cc('max-age=3600', false)],
        pause_after: true
      },
      {
        expected_type: 'cached',
        expected_response_headers: [
          ['Server-Request-Count', '2'], ['Client-Request-Count', '2']
        ]
      }
    ]
  ]),
  ...expired('required', [
    ['atlas-swr-over', 'After the window it is not',
      [cc('max-age=10, stale-while-revalidate=5'), ['Age', '20']]],
    ['atlas-swr-over-later', 'Also when the window ended here',
      [cc('max-age=1, stale-while-revalidate=1')], { wait: true }],
    ['atlas-swr-0', 'A window of nothing is none',
      [cc('max-age=10, stale-while-revalidate=0'), AGED]],
    ['atlas-swr-must-revalidate', 'must-revalidate closes it',
      [cc('max-age=10, must-revalidate, stale-while-revalidate=60'), AGED]],
    ['atlas-swr-no-cache', 'So does no-cache',
      [cc('max-age=10, no-cache, stale-while-revalidate=60'), AGED]]
  ]),
  ...exchanges('required', [
    ['atlas-swr-brought-no-cache', 'What the refresh brought is what counts',
      { response_headers: WINDOW, setup: true },
      {
        ...STALE,
        response_headers: [cc('no-cache', false)],
        pause_after: true
      },
      { expected_type: 'not_cached' }
    ],
    ['atlas-swr-brought-no-cache-tag', 'A no-cache with a tag is validated',
      { response_headers: WINDOW, setup: true },
      {
        ...STALE,
        response_headers: [cc('no-cache', false), [...TAG, false]],
        pause_after: true
      },
      { expected_type: 'etag_validated', expected_status: 200 }
    ]
  ])
]

const GONE = { disconnect: true, check_body: false }

const served = reused('optimal', [
  ['atlas-stale-close', 'The stale copy when the origin hangs up',
    [cc('max-age=10'), AGED, TAG], { second: { disconnect: true } }],
  ['atlas-stale-close-later', 'Also when it became stale here',
    [cc('max-age=1')], { wait: true, second: { disconnect: true } }]
])

// An error of our own: the origin's would say which request of its own it was.
function refused (id, directives, status = 502) {
  return [id, `No stale copy after ${directives}`,
    { response_headers: [cc(directives), TAG, AGED], setup: true },
    {
      ...GONE,
      expected_status: status,
      expected_response_headers_missing: ['Server-Request-Count', 'ETag']
    }
  ]
}

const prohibited = exchanges('required', [
  refused('atlas-stale-close-must-revalidate', 'max-age=10, must-revalidate'),
  refused('atlas-stale-close-proxy-revalidate', 'max-age=10, proxy-revalidate'),
  refused('atlas-stale-close-s-maxage', 's-maxage=10'),
  refused('atlas-stale-close-no-cache', 'max-age=10, no-cache'),
  refused('atlas-stale-close-no-cache-fresh', 'max-age=3600, no-cache'),
  refused('atlas-stale-close-must-revalidate-case',
    'max-age=10, MUST-Revalidate'),
  refused('atlas-stale-sie-must-revalidate',
    'max-age=10, must-revalidate, stale-if-error=60'),
  refused('atlas-stale-sie-proxy-revalidate',
    'max-age=10, proxy-revalidate, stale-if-error=60'),
  refused('atlas-stale-sie-no-cache',
    'max-age=10, no-cache, stale-if-error=60'),
  ['atlas-stale-close-must-revalidate-later', 'Nor when it became stale here',
    {
      response_headers: [cc('max-age=1, must-revalidate'), TAG],
      setup: true,
      pause_after: true
    },
    {
      ...GONE,
      expected_status: 502,
      expected_response_headers_missing: ['Server-Request-Count']
    }
  ],
  ['atlas-stale-close-s-maxage-later', 'Nor after s-maxage ended here',
    {
      response_headers: [cc('s-maxage=1'), TAG],
      setup: true,
      pause_after: true
    },
    {
      ...GONE,
      expected_status: 502,
      expected_response_headers_missing: ['Server-Request-Count']
    }
  ]
])

const BUSY = { second: { response_status: [503, 'Service Unavailable'] } }

const passedOn = [
  ...expired('required', [
    ['atlas-stale-503-must-revalidate', 'A 503 goes on after must-revalidate',
      [cc('max-age=10, must-revalidate, stale-if-error=60'), AGED], BUSY],
    ['atlas-stale-503-must-revalidate-0', 'Also after a lifetime of nothing',
      [cc('max-age=0, must-revalidate')], BUSY],
    ['atlas-stale-503-proxy-revalidate', 'And after proxy-revalidate',
      [cc('max-age=10, proxy-revalidate, stale-if-error=60'), AGED], BUSY],
    ['atlas-stale-503-s-maxage', 'And after s-maxage',
      [cc('s-maxage=0')], BUSY],
    ['atlas-stale-503-no-cache', 'And after no-cache',
      [cc('max-age=10, no-cache, stale-if-error=60')], BUSY]
  ]),
  ...expired('optimal', [
    ['atlas-stale-503', 'And without stale-if-error', [cc('max-age=10'), AGED],
      BUSY],
    ['atlas-stale-503-just-over', 'Also in the second in which it became stale',
      [cc('max-age=15'), AGED], BUSY],
    ['atlas-stale-503-expired', 'Also when it had expired on arrival',
      [['Expires', -5000], ['Last-Modified', -100000], ['Date', 0]], BUSY]
  ])
]

export default [...whileRevalidate, ...served, ...prohibited, ...passedOn]
