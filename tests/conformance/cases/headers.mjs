// What of a response is stored and replayed, and what is between neighbours
// (RFC 9111 section 3.1, RFC 9110 section 7.6.1).
import { cc, exchanges } from './lib/case.mjs'

const FRESH = cc('max-age=3600')

// The second answer has these fields, all lines of them, and no others of
// that name.
const replayed = rows => exchanges('required',
  rows.map(([id, name, ...values]) => [id, `${name} is replayed`,
    {
      response_headers: [...(name === 'Cache-Control' ? [] : [FRESH]),
        ...values.map(value => [name, value])],
      setup: true
    },
    {
      expected_type: 'cached',
      expected_response_headers: [[name, values.join(', ')]]
    }
  ]))

const fields = replayed([
  ['atlas-header-test', 'Test-Header', 'one'],
  ['atlas-header-x-test', 'X-Test-Header', 'two'],
  ['atlas-header-content-foo', 'Content-Foo', 'three'],
  ['atlas-header-x-content-foo', 'X-Content-Foo', 'four'],
  ['atlas-header-content-encoding', 'Content-Encoding', 'unheard-of'],
  ['atlas-header-content-language', 'Content-Language', 'de, en'],
  ['atlas-header-content-location', 'Content-Location', '/elsewhere'],
  ['atlas-header-content-md5', 'Content-MD5', 'rL0Y20zC+Fzt72VPzMSk2A=='],
  ['atlas-header-content-range', 'Content-Range', 'bytes 0-35/36'],
  ['atlas-header-content-type', 'Content-Type', 'text/plain;charset=utf-8'],
  ['atlas-header-csp', 'Content-Security-Policy',
    "default-src 'self' cdn.example.com"],
  ['atlas-header-clear-site-data', 'Clear-Site-Data', '"cookies"'],
  ['atlas-header-etag', 'ETag', '"abcdef"'],
  ['atlas-header-etag-weak', 'ETag', 'W/"abcdef"'],
  ['atlas-header-last-modified', 'Last-Modified',
    'Sat, 01 Mar 2025 10:00:00 GMT'],
  ['atlas-header-expires', 'Expires', 'Mon, 11 Jan 2038 11:11:11 GMT'],
  ['atlas-header-cache-control', 'Cache-Control',
    'max-age=3600,  ext="a, b" ,Other'],
  ['atlas-header-cache-control-lines', 'Cache-Control', 'max-age=3600',
    'ext="a, b"'],
  ['atlas-header-public-key-pins', 'Public-Key-Pins', 'max-age=1; pin="x"'],
  ['atlas-header-set-cookie', 'Set-Cookie', 'a=b'],
  ['atlas-header-set-cookie-lines', 'Set-Cookie', 'a=b; Path=/', 'c=d'],
  ['atlas-header-set-cookie2', 'Set-Cookie2', 'a=b'],
  ['atlas-header-x-frame-options', 'X-Frame-Options', 'deny'],
  ['atlas-header-x-xss-protection', 'X-XSS-Protection', '1; mode=block'],
  ['atlas-header-link-lines', 'Link', '</a>; rel=preload', '</b>; rel=next'],
  ['atlas-header-empty', 'X-Empty', ''],
  ['atlas-header-spaces-inside', 'X-Spaces', 'a  b\tc'],
  ['atlas-header-long', 'X-Long', 'x'.repeat(4000)]
])

// Stored although such a field is there; and the field is not replayed, but
// where the client side has one of its own.
const JUNK = 'junk-value'
const neighbour = rows => exchanges('required',
  rows.map(([id, name, value, ...missing]) => [id,
    `A response with ${name} is cached`,
    {
      response_headers: [FRESH, [name, value, false], ['a', '1']],
      setup: true
    },
    {
      expected_type: 'cached',
      expected_response_headers: [['a', '1']],
      expected_response_headers_missing: missing
    }
  ]))

const hopByHop = [
  ...neighbour([
    ['atlas-hop-connection', 'Connection', JUNK],
    ['atlas-hop-keep-alive', 'Keep-Alive', JUNK, 'Keep-Alive'],
    ['atlas-hop-te', 'TE', JUNK, 'TE'],
    ['atlas-hop-upgrade', 'Upgrade', JUNK, 'Upgrade'],
    ['atlas-hop-proxy-authenticate', 'Proxy-Authenticate', JUNK,
      'Proxy-Authenticate'],
    ['atlas-hop-proxy-authentication-info', 'Proxy-Authentication-Info', JUNK,
      'Proxy-Authentication-Info'],
    ['atlas-hop-proxy-authorization', 'Proxy-Authorization', JUNK,
      'Proxy-Authorization'],
    ['atlas-hop-proxy-connection', 'Proxy-Connection', JUNK,
      'Proxy-Connection'],
    ['atlas-hop-transfer-encoding', 'Transfer-Encoding', JUNK]
  ]),
  ...exchanges('required', [
    ['atlas-hop-named', 'Fields that Connection names are not replayed',
      {
        response_headers: [FRESH, ['Connection', 'a, b', false],
          ['a', '1', false], ['b', '2', false], ['c', '3']],
        setup: true
      },
      {
        expected_type: 'cached',
        expected_response_headers: [['c', '3']],
        expected_response_headers_missing: ['a', 'b']
      }
    ],
    ['atlas-hop-named-passed', 'Nor passed on the first time',
      {
        response_headers: [FRESH, ['Connection', 'a, b', false],
          ['a', '1', false], ['b', '2', false], ['c', '3']],
        expected_response_headers: [['c', '3']],
        expected_response_headers_missing: ['a', 'b']
      }
    ],
    ['atlas-hop-named-lines', 'Nor those of a second line, in other letters',
      {
        response_headers: [FRESH, ['Connection', 'A', false],
          ['Connection', 'keep-alive, x-B', false], ['a', '1', false],
          ['X-b', '2', false], ['c', '3']],
        setup: true
      },
      {
        expected_type: 'cached',
        expected_response_headers: [['c', '3']],
        expected_response_headers_missing: ['a', 'x-b']
      }
    ]
  ])
]

// The origin sends more than it says. A body ends where its length says.
const SHORT = {
  response_headers: [FRESH, ['Content-Length', '10']],
  response_body: '0123456789abcdefghijklmnopqrstuvwxyz',
  expected_response_text: '0123456789'
}

const length = exchanges('required', [
  ['atlas-header-content-length', 'Content-Length counts, not what follows',
    { ...SHORT, setup: true },
    {
      ...SHORT,
      expected_type: 'cached',
      expected_response_headers: [['Content-Length', '10']]
    }
  ]
])

export default [...fields, ...hopByHop, ...length]
