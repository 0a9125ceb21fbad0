// Answers to requests with Authorization (RFC 9111 section 3.5).
import { cc, exchanges } from './lib/case.mjs'

const ME = [['Authorization', 'Basic bWU6c2VjcmV0']]
const YOU = [['Authorization', 'Basic eW91OnNlY3JldA==']]

const authorized = (...fields) => ({
  request_headers: ME,
  expected_request_headers: ME,
  response_headers: fields,
  setup: true
})

const anyone = type => ({ expected_type: type })
const me = type => ({ request_headers: ME, expected_type: type })
const you = type => ({ request_headers: YOU, expected_type: type })

const FRESH = [cc('max-age=3600')]
const FUTURE = [['Expires', 3600], ['Date', 0]]
const PUBLIC = [cc('max-age=3600, public')]
const MUST = [cc('max-age=3600, must-revalidate')]
const SHARED = [cc('s-maxage=3600')]

export default [
  ...exchanges('required', [
    ['atlas-auth-max-age', 'Not for others, by max-age',
      authorized(...FRESH), anyone('not_cached')],
    ['atlas-auth-expires', 'Not for others, by Expires',
      authorized(...FUTURE), anyone('not_cached')],
    ['atlas-auth-other', 'Not for someone else',
      authorized(...FRESH), you('not_cached')],
    ['atlas-auth-same', 'Not for the same user, either',
      authorized(...FRESH), me('not_cached')],
    ['atlas-auth-proxy-revalidate', 'Nor with proxy-revalidate',
      authorized(cc('max-age=3600, proxy-revalidate')), anyone('not_cached')],
    ['atlas-auth-public-private', 'Nor where private forbids it',
      authorized(cc('max-age=3600, public, private')), anyone('not_cached')],
    ['atlas-auth-forwarded', 'The origin sees Authorization each time',
      authorized(...FRESH),
      {
        request_headers: YOU,
        expected_request_headers: YOU,
        expected_type: 'not_cached'
      }
    ]
  ]),
  ...exchanges('optimal', [
    ['atlas-auth-public', 'With public for everybody',
      authorized(...PUBLIC), anyone('cached')],
    ['atlas-auth-public-other', 'With public for someone else',
      authorized(...PUBLIC), you('cached')],
    ['atlas-auth-public-same', 'With public for the same user',
      authorized(...PUBLIC), me('cached')],
    ['atlas-auth-must-revalidate', 'With must-revalidate for everybody',
      authorized(...MUST), anyone('cached')],
    ['atlas-auth-must-revalidate-other', 'With must-revalidate for another',
      authorized(...MUST), you('cached')],
    ['atlas-auth-s-maxage', 'With s-maxage for everybody',
      authorized(...SHARED), anyone('cached')],
    ['atlas-auth-s-maxage-other', 'With s-maxage for someone else',
      authorized(...SHARED), you('cached')]
  ])
]
