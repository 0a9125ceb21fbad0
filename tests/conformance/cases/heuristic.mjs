// What is guessed to be fresh by its Last-Modified alone (RFC 9111 section
// 4.2.2), by status (RFC 9110 section 15.1).
import { cc, refetched, reused } from './lib/case.mjs'

const DAY_OLD = [['Last-Modified', -24 * 60 * 60], ['Date', 0]]

const status = (code, phrase, ...fields) =>
  [[...DAY_OLD, ...fields], { both: { response_status: [code, phrase] } }]

// A redirect is looked at, not followed.
const redirect = (code, phrase) => [DAY_OLD,
  { both: { response_status: [code, phrase], redirect: 'manual' } }]

export default [
  ...reused('optimal', [
    ['atlas-heuristic-200', 'A 200', ...status(200, 'OK')],
    ['atlas-heuristic-203', 'A 203', ...status(203, 'Non-Authoritative')],
    ['atlas-heuristic-204', 'A 204', ...status(204, 'No Content')],
    ['atlas-heuristic-300', 'A 300', ...redirect(300, 'Multiple Choices')],
    ['atlas-heuristic-301', 'A 301', ...redirect(301, 'Moved Permanently')],
    ['atlas-heuristic-308', 'A 308', ...redirect(308, 'Permanent Redirect')],
    ['atlas-heuristic-404', 'A 404', ...status(404, 'Not Found')],
    ['atlas-heuristic-405', 'A 405', ...status(405, 'Method Not Allowed')],
    ['atlas-heuristic-410', 'A 410', ...status(410, 'Gone')],
    ['atlas-heuristic-414', 'A 414', ...status(414, 'URI Too Long')],
    ['atlas-heuristic-501', 'A 501', ...status(501, 'Not Implemented')],
    ['atlas-heuristic-599-public', 'An unknown status that says public',
      ...status(599, 'Whatever', cc('public'))]
  ]),
  ...refetched('required', [
    ['atlas-heuristic-201', 'Not a 201', ...status(201, 'Created')],
    ['atlas-heuristic-202', 'Not a 202', ...status(202, 'Accepted')],
    ['atlas-heuristic-302', 'Not a 302', ...redirect(302, 'Found')],
    ['atlas-heuristic-307', 'Not a 307', ...redirect(307, 'Temporary')],
    ['atlas-heuristic-400', 'Not a 400', ...status(400, 'Bad Request')],
    ['atlas-heuristic-403', 'Not a 403', ...status(403, 'Forbidden')],
    ['atlas-heuristic-500', 'Not a 500', ...status(500, 'Internal Error')],
    ['atlas-heuristic-502', 'Not a 502', ...status(502, 'Bad Gateway')],
    ['atlas-heuristic-503', 'Not a 503', ...status(503, 'Unavailable')],
    ['atlas-heuristic-504', 'Not a 504', ...status(504, 'Gateway Timeout')],
    ['atlas-heuristic-599', 'Not an unknown status',
      ...status(599, 'Whatever')],
    ['atlas-heuristic-expired', 'Not what has expired',
      [...DAY_OLD, ['Expires', -3600]]],
    ['atlas-heuristic-max-age-0', 'Not what says max-age=0',
      [...DAY_OLD, cc('max-age=0')]]
  ])
]
