// Lifetimes by Expires, and what is a date (RFC 9111 sections 4.2.1 and 5.3,
// RFC 9110 section 5.6.7).
import { expired, reused } from './lib/case.mjs'

const NOW = ['Date', 0]

const lifetimes = [
  ...reused('optimal', [
    ['atlas-expires-future', 'A future Expires makes fresh',
      [['Expires', 3600], NOW]],
    ['atlas-expires-age-below', 'And does so for an age below the lifetime',
      [['Expires', 3600], NOW, ['Age', '1800']]],
    ['atlas-expires-date-word', 'Without a valid Date the arrival counts',
      [['Date', 'foo', false], ['Expires', 10]]],
    ['atlas-expires-date-zero', 'A Date of 0 is no date',
      [['Date', '0', false], ['Expires', 10]]]
  ]),
  ...expired('required', [
    ['atlas-expires-past', 'A past Expires makes stale',
      [['Expires', -3600], NOW]],
    ['atlas-expires-equal', 'So does one that is the Date',
      [['Expires', 0], NOW]],
    ['atlas-expires-equal-future', 'Also where both are ahead of our clock',
      [['Expires', 400], ['Date', 400]]],
    ['atlas-expires-before-date', 'So does one before Date, both ahead of us',
      [['Expires', 300], ['Date', 400]]],
    ['atlas-expires-over', 'What has expired here is stale',
      [['Expires', 1], NOW], { wait: true }],
    ['atlas-expires-age-above', 'What arrives older than its lifetime is stale',
      [['Expires', 3600], NOW, ['Age', '7200']]],
    ['atlas-expires-age-slow-date', 'The lifetime begins at a Date behind ours',
      [['Date', -10], ['Expires', 10], ['Age', '25']]],
    ['atlas-expires-age-fast-date', 'And at a Date ahead of ours',
      [['Date', 10], ['Expires', 20], ['Age', '15']]],
    ['atlas-expires-zero', '0 is in the past', [['Expires', '0'], NOW]],
    ['atlas-expires-minus-1', 'So is -1', [['Expires', '-1'], NOW]],
    ['atlas-expires-word', 'So is a word', [['Expires', 'never'], NOW]],
    ['atlas-expires-number', 'So is a number of seconds',
      [['Expires', '3600'], NOW]],
    ['atlas-expires-empty', 'So is nothing', [['Expires', '', false], NOW]]
  ])
]

// Two lines are one in the engine's eyes.
const by = (...lines) =>
  [...lines.map(line => ['Expires', line, lines.length === 1]), NOW]

const dates = [
  ...reused('optimal', [
    ['atlas-date-fixdate', 'The preferred form',
      by('Thu, 18 Aug 2050 02:01:18 GMT')],
    ['atlas-date-rfc850', 'The form of RFC 850',
      by('Thursday, 18-Aug-50 02:01:18 GMT')],
    ['atlas-date-rfc850-2070', 'Its years reach 50 years ahead',
      by('Monday, 18-Aug-70 02:01:18 GMT')],
    ['atlas-date-asctime', 'The form of asctime, a day of one digit',
      by('Mon Aug  8 02:01:18 2050')],
    ['atlas-date-asctime-weekday', 'A weekday that the date does not fall on',
      by('Thu Aug  8 02:01:18 2050')],
    ['atlas-date-asctime-2-digits', 'The form of asctime, a day of two',
      by('Thu Aug 18 02:01:18 2050')],
    ['atlas-date-2038', 'The last second of 31 bits',
      by('Tue, 19 Jan 2038 03:14:07 GMT')],
    ['atlas-date-2038-after', 'The first second after it',
      by('Tue, 19 Jan 2038 03:14:08 GMT')],
    ['atlas-date-2038-later', 'Another time on that day',
      by('Tue, 19 Jan 2038 14:14:08 GMT')],
    ['atlas-date-2106', 'The first second after 32 bits',
      by('Sun, 07 Feb 2106 06:28:16 GMT')],
    ['atlas-date-2286', 'The year 2286', by('Sat, 20 Nov 2286 17:46:39 GMT')],
    ['atlas-date-9999', 'The last year there is',
      by('Fri, 31 Dec 9999 23:59:59 GMT')],
    ['atlas-date-case-weekday', 'A weekday in capitals',
      by('THU, 18 Aug 2050 02:01:18 GMT')],
    ['atlas-date-case-month', 'A month in capitals',
      by('Thu, 18 AUG 2050 02:01:18 GMT')],
    ['atlas-date-case-month-lower', 'A month in small letters',
      by('Thu, 18 aug 2050 02:01:18 GMT')],
    ['atlas-date-case-zone', 'A zone in mixed case',
      by('Thu, 18 Aug 2050 02:01:18 gMT')]
  ]),
  ...expired('required', [
    ['atlas-date-rfc850-1994', 'A two-digit year far ahead is in the past',
      by('Sunday, 06-Nov-94 08:49:37 GMT')],
    ['atlas-date-utc', 'Another name of the zone',
      by('Thu, 18 Aug 2050 02:01:18 UTC')],
    ['atlas-date-aest', 'Another zone', by('Thu, 18 Aug 2050 02:01:18 AEST')],
    ['atlas-date-offset', 'A zone in digits',
      by('Thu, 18 Aug 2050 02:01:18 +0000')],
    ['atlas-date-no-zone', 'No zone', by('Thu, 18 Aug 2050 02:01:18')],
    ['atlas-date-2-digit-year', 'A year of two digits',
      by('Thu, 18 Aug 50 02:01:18 GMT')],
    ['atlas-date-no-comma', 'No comma', by('Thu 18 Aug 2050 02:01:18 GMT')],
    ['atlas-date-2-spaces', 'Two spaces round the month',
      by('Thu, 18  Aug  2050 02:01:18 GMT')],
    ['atlas-date-2-spaces-comma', 'Two spaces after the comma',
      by('Thu,  18 Aug 2050 02:01:18 GMT')],
    ['atlas-date-2-spaces-time', 'Two spaces before the time',
      by('Thu, 18 Aug 2050  02:01:18 GMT')],
    ['atlas-date-dashes', 'Dashes in the preferred form',
      by('Thu, 18-Aug-2050 02:01:18 GMT')],
    ['atlas-date-periods', 'Periods in the time',
      by('Thu, 18 Aug 2050 02.01.18 GMT')],
    ['atlas-date-1-digit-hour', 'An hour of one digit',
      by('Thu, 18 Aug 2050 2:01:18 GMT')],
    ['atlas-date-two-lines', 'Two lines that are no dates',
      by('Thu, 18 Aug 2050 2:01:18 GMT', 'Thu, 18 Aug 2050 2:01:19 GMT')],
    ['atlas-date-iso', 'A date in the order of ISO 8601',
      by('2050-08-18T02:01:18Z')]
  ])
]

export default [...lifetimes, ...dates]
