// What a request that changes things does to the copy of its URL (RFC 9111
// section 4.4).
import { cc, exchanges } from './lib/case.mjs'

const FRESH = { response_headers: [cc('max-age=3600')], setup: true }
const STORED = { expected_type: 'cached', setup: true }

// The origin's own answer to the request of that number. `not_cached` is for
// cases in which the origin sees every request.
const answered = number => ({
  expected_response_headers: [['Client-Request-Count', number]]
})

const unsafe = (method, code, phrase) => ({
  request_method: method,
  request_body: 'abc',
  response_status: [code, phrase],
  redirect: 'manual',
  expected_method: method,
  ...answered('3'),
  setup: true
})

const changes = (kind, last, rows) => exchanges(kind,
  rows.map(([id, name, ...change]) =>
    [id, name, FRESH, STORED, unsafe(...change), last]))

const gone = changes('required', answered('4'), [
  ['atlas-invalidate-post', 'After a POST it is gone', 'POST', 200, 'OK'],
  ['atlas-invalidate-put', 'After a PUT', 'PUT', 200, 'OK'],
  ['atlas-invalidate-delete', 'After a DELETE', 'DELETE', 200, 'OK'],
  ['atlas-invalidate-m-search', 'After an M-SEARCH', 'M-SEARCH', 200, 'OK'],
  ['atlas-invalidate-patch', 'After a PATCH', 'PATCH', 200, 'OK'],
  ['atlas-invalidate-post-201', 'After a 201', 'POST', 201, 'Created'],
  ['atlas-invalidate-post-202', 'After a 202', 'POST', 202, 'Accepted'],
  ['atlas-invalidate-put-204', 'After a 204', 'PUT', 204, 'No Content'],
  ['atlas-invalidate-delete-204', 'After a 204 to DELETE', 'DELETE', 204,
    'No Content'],
  ['atlas-invalidate-m-search-204', 'After a 204 to M-SEARCH', 'M-SEARCH', 204,
    'No Content'],
  ['atlas-invalidate-post-299', 'After an unknown success', 'POST', 299,
    'Whatever'],
  ['atlas-invalidate-post-301', 'After a 301', 'POST', 301, 'Moved'],
  ['atlas-invalidate-post-303', 'After a 303', 'POST', 303, 'See Other'],
  ['atlas-invalidate-put-307', 'After a 307', 'PUT', 307, 'Temporary'],
  ['atlas-invalidate-delete-302', 'After a 302 to DELETE', 'DELETE', 302,
    'Found'],
  ['atlas-invalidate-m-search-303', 'After a 303 to M-SEARCH', 'M-SEARCH', 303,
    'See Other']
])

const stays = changes('optimal', { expected_type: 'cached' }, [
  ['atlas-invalidate-post-500', 'After a POST that failed it stays', 'POST',
    500, 'Internal Error'],
  ['atlas-invalidate-put-500', 'After a PUT that failed', 'PUT', 500,
    'Internal Error'],
  ['atlas-invalidate-delete-500', 'After a DELETE that failed', 'DELETE', 500,
    'Internal Error'],
  ['atlas-invalidate-m-search-500', 'After an M-SEARCH that failed',
    'M-SEARCH', 500, 'Internal Error'],
  ['atlas-invalidate-post-503', 'After a 503', 'POST', 503, 'Unavailable'],
  ['atlas-invalidate-put-409', 'After a PUT that was refused', 'PUT', 409,
    'Conflict']
])

const others = [
  ...exchanges('required', [
    ['atlas-invalidate-variants', 'All variants are gone',
      {
        ...FRESH,
        request_headers: [['Foo', '1']],
        response_headers: [cc('max-age=3600'), ['Vary', 'Foo']]
      },
      {
        ...FRESH,
        request_headers: [['Foo', '2']],
        response_headers: [cc('max-age=3600'), ['Vary', 'Foo']]
      },
      unsafe('POST', 200, 'OK'),
      {
        request_headers: [['Foo', '1']],
        response_headers: [cc('max-age=3600'), ['Vary', 'Foo']],
        expected_type: 'not_cached'
      },
      { request_headers: [['Foo', '2']], expected_type: 'not_cached' }
    ],
    ['atlas-invalidate-query', 'The URL with its query',
      { ...FRESH, query_arg: 'a=1' },
      { ...STORED, query_arg: 'a=1' },
      { ...unsafe('POST', 200, 'OK'), query_arg: 'a=1' },
      { query_arg: 'a=1', ...answered('4') }
    ]
  ]),
  ...exchanges('optimal', [
    ['atlas-invalidate-other-query', 'Not the one with another query',
      { ...FRESH, query_arg: 'a=1' },
      { ...STORED, query_arg: 'a=1' },
      { ...unsafe('POST', 200, 'OK'), query_arg: 'a=2' },
      { query_arg: 'a=1', expected_type: 'cached' }
    ],
    ['atlas-invalidate-safe', 'Not by OPTIONS, which changes nothing',
      FRESH,
      STORED,
      {
        request_method: 'OPTIONS',
        expected_method: 'OPTIONS',
        ...answered('3'),
        setup: true
      },
      { expected_type: 'cached' }
    ]
  ])
]

export default [...gone, ...stays, ...others]
