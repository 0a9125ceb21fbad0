// When the answer to a POST is one to a later GET (RFC 9110 section 9.3.3).
// The engine makes a Content-Location of '' the path that was asked for.
import { cc, exchanges } from './lib/case.mjs'

const NOW = ['Date', 0]
const HERE = ['Content-Location', '']

const post = (...fields) => ({
  request_method: 'POST',
  request_headers: [['Content-Type', 'text/plain']],
  request_body: '12345',
  response_headers: fields,
  magic_locations: true,
  setup: true
})

export default [
  ...exchanges('optimal', [
    ['atlas-post-max-age', 'A fresh one of its own URL, by max-age',
      post(cc('max-age=3600'), HERE), { expected_type: 'cached' }],
    ['atlas-post-expires', 'By Expires',
      post(['Expires', 3600], NOW, HERE), { expected_type: 'cached' }],
    ['atlas-post-replaces', 'It takes the place of what was there',
      { response_headers: [cc('max-age=3600')], setup: true },
      post(cc('max-age=3600'), HERE),
      {
        expected_type: 'cached',
        expected_response_headers: [['Client-Request-Count', '2']]
      }
    ]
  ]),
  ...exchanges('required', [
    ['atlas-post-no-location', 'Not one that does not say of what it is',
      post(cc('max-age=3600')), { expected_type: 'not_cached' }],
    ['atlas-post-other-location', 'Not one of another URL',
      post(cc('max-age=3600'), ['Content-Location', 'other']),
      { expected_type: 'not_cached' }],
    ['atlas-post-not-fresh', 'Not one that does not say how long',
      post(HERE, ['Last-Modified', -86400], NOW),
      { expected_type: 'not_cached' }],
    ['atlas-post-again', 'No POST is answered from the cache',
      post(cc('max-age=3600'), HERE),
      { ...post(cc('max-age=3600'), HERE), expected_type: 'not_cached' }
    ]
  ])
]
