// Answers of any status that say how long they are fresh (RFC 9111 section 3),
// and what must-understand makes of them (section 5.2.2.3).
import { cc, exchanges, refetched, reused } from './lib/case.mjs'

const status = (code, phrase, ...fields) => [fields, {
  both: { response_status: [code, phrase], redirect: 'manual' }
}]

const fresh = (code, phrase) => status(code, phrase, cc('max-age=3600'))

// Stored, for the date makes it worth validating. The origin answers 200 then:
// to its errors the stale copy might be an answer.
const stale = (code, phrase) => [
  [['Expires', -5000], ['Last-Modified', -100000], ['Date', 0]],
  {
    both: { redirect: 'manual' },
    first: { response_status: [code, phrase] }
  }
]

const understood = (code, phrase) => status(code, phrase,
  cc('max-age=3600, no-store, must-understand'))

// Elsewhere, so that whoever follows it does not find the origin.
const LOCATION = ['Location', 'http://127.0.0.1:1/elsewhere']

const moved = (code, phrase) => [
  {
    response_status: [code, phrase],
    response_headers: [cc('max-age=3600'), LOCATION],
    redirect: 'manual',
    setup: true
  },
  {
    response_status: [code, phrase],
    redirect: 'manual',
    expected_type: 'cached',
    expected_response_headers: [LOCATION]
  }
]

export default [
  ...reused('optimal', [
    ['atlas-status-200-fresh', 'A fresh 200', ...fresh(200, 'OK')],
    ['atlas-status-203-fresh', 'A fresh 203', ...fresh(203, 'Changed')],
    ['atlas-status-204-fresh', 'A fresh 204', ...fresh(204, 'No Content')],
    ['atlas-status-299-fresh', 'A fresh 299', ...fresh(299, 'Whatever')],
    ['atlas-status-301-fresh', 'A fresh 301', ...fresh(301, 'Moved')],
    ['atlas-status-302-fresh', 'A fresh 302', ...fresh(302, 'Found')],
    ['atlas-status-303-fresh', 'A fresh 303', ...fresh(303, 'See Other')],
    ['atlas-status-307-fresh', 'A fresh 307', ...fresh(307, 'Temporary')],
    ['atlas-status-308-fresh', 'A fresh 308', ...fresh(308, 'Permanent')],
    ['atlas-status-400-fresh', 'A fresh 400', ...fresh(400, 'Bad Request')],
    ['atlas-status-404-fresh', 'A fresh 404', ...fresh(404, 'Not Found')],
    ['atlas-status-410-fresh', 'A fresh 410', ...fresh(410, 'Gone')],
    ['atlas-status-499-fresh', 'A fresh 499', ...fresh(499, 'Whatever')],
    ['atlas-status-500-fresh', 'A fresh 500', ...fresh(500, 'Internal Error')],
    ['atlas-status-502-fresh', 'A fresh 502', ...fresh(502, 'Bad Gateway')],
    ['atlas-status-503-fresh', 'A fresh 503', ...fresh(503, 'Unavailable')],
    ['atlas-status-504-fresh', 'A fresh 504', ...fresh(504, 'Timeout')],
    ['atlas-status-599-fresh', 'A fresh 599', ...fresh(599, 'Whatever')],
    ['atlas-status-200-understood', 'must-understand lifts no-store of a 200',
      ...understood(200, 'OK')],
    ['atlas-status-404-understood', 'And of a 404',
      ...understood(404, 'Not Found')],
    ['atlas-status-301-understood', 'And of a 301',
      ...understood(301, 'Moved')],
    ['atlas-status-200-understood-lines', 'Also on lines of their own',
      [cc('no-store'), cc('must-understand'), cc('max-age=3600')]],
    ['atlas-status-200-understood-case', 'Also in other letters',
      [cc('max-age=3600, NO-store, Must-Understand')]]
  ]),
  ...refetched('required', [
    ['atlas-status-200-stale', 'A stale 200', ...stale(200, 'OK')],
    ['atlas-status-203-stale', 'A stale 203', ...stale(203, 'Changed')],
    ['atlas-status-204-stale', 'A stale 204', ...stale(204, 'No Content')],
    ['atlas-status-299-stale', 'A stale 299', ...stale(299, 'Whatever')],
    ['atlas-status-301-stale', 'A stale 301', ...stale(301, 'Moved')],
    ['atlas-status-302-stale', 'A stale 302', ...stale(302, 'Found')],
    ['atlas-status-303-stale', 'A stale 303', ...stale(303, 'See Other')],
    ['atlas-status-307-stale', 'A stale 307', ...stale(307, 'Temporary')],
    ['atlas-status-308-stale', 'A stale 308', ...stale(308, 'Permanent')],
    ['atlas-status-400-stale', 'A stale 400', ...stale(400, 'Bad Request')],
    ['atlas-status-404-stale', 'A stale 404', ...stale(404, 'Not Found')],
    ['atlas-status-410-stale', 'A stale 410', ...stale(410, 'Gone')],
    ['atlas-status-499-stale', 'A stale 499', ...stale(499, 'Whatever')],
    ['atlas-status-500-stale', 'A stale 500', ...stale(500, 'Internal Error')],
    ['atlas-status-502-stale', 'A stale 502', ...stale(502, 'Bad Gateway')],
    ['atlas-status-503-stale', 'A stale 503', ...stale(503, 'Unavailable')],
    ['atlas-status-504-stale', 'A stale 504', ...stale(504, 'Timeout')],
    ['atlas-status-599-stale', 'A stale 599', ...stale(599, 'Whatever')],
    ['atlas-status-599-not-understood', 'must-understand of an unknown status',
      ...status(599, 'Whatever', cc('max-age=3600, must-understand'))],
    ['atlas-status-599-not-understood-no-store', 'Also with no-store',
      ...understood(599, 'Whatever')],
    ['atlas-status-299-not-understood', 'Also of one that begins like a 200',
      ...status(299, 'Whatever', cc('max-age=3600, must-understand'))],
    ['atlas-status-499-not-understood', 'Also of one that begins like a 400',
      ...status(499, 'Whatever', cc('max-age=3600, must-understand'))]
  ]),
  ...exchanges('required', [
    ['atlas-status-301-location', 'A 301 is passed on, not followed',
      ...moved(301, 'Moved')],
    ['atlas-status-302-location', 'So is a 302', ...moved(302, 'Found')],
    ['atlas-status-303-location', 'So is a 303', ...moved(303, 'See Other')],
    ['atlas-status-307-location', 'So is a 307', ...moved(307, 'Temporary')],
    ['atlas-status-308-location', 'So is a 308', ...moved(308, 'Permanent')]
  ])
]
