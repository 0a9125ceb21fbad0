// What counts as the age of a response (RFC 9111 section 5.1): the first member
// of the first line, and nothing that is not digits.
import { cc, expired, reused } from './lib/case.mjs'

const NOW = ['Date', 0]

// Lists and what is no age need not reach the client as they came.
const aged = (lifetime, ...ages) =>
  [cc(`max-age=${lifetime}`), NOW, ...ages.map(age => ['Age', age, false])]

export default [
  ...expired('required', [
    ['atlas-age-7200-0', 'Of a list the first member counts',
      aged(3600, '7200, 0')],
    ['atlas-age-7200-0-tight', 'Also without a space', aged(3600, '7200,0')],
    ['atlas-age-7200-0-lines', 'Of two lines the first counts',
      aged(3600, '7200', '0')],
    ['atlas-age-2147483647', 'An age just below 2^31',
      aged(3600, '2147483647')],
    ['atlas-age-2147483648', 'An age of 2^31', aged(3600, '2147483648')],
    ['atlas-age-2147483649', 'An age just above 2^31',
      aged(3600, '2147483649')],
    ['atlas-age-4294967296', 'An age of 2^32 is not 0',
      aged(3600, '4294967296')],
    ['atlas-age-18446744073709551616', 'Nor is one of 2^64',
      aged(3600, '18446744073709551616')],
    ['atlas-age-40-digits', 'Nor one of forty digits',
      aged(3600, '1000000000000000000000000000000000000000')],
    ['atlas-age-leading-zeros', 'Leading zeros belong to the number',
      aged(3600, '007200')]
  ]),
  ...reused('required', [
    ['atlas-age-0-7200', 'What follows the first member is not looked at',
      aged(3600, '0, 7200')],
    ['atlas-age-0-7200-lines', 'Nor what follows the first line',
      aged(3600, '0', '7200')],
    ['atlas-age-0-0', 'The same member twice', aged(3600, '0, 0')],
    ['atlas-age-0-0-lines', 'The same line twice', aged(3600, '0', '0')],
    ['atlas-age-3600-3600', 'Twice the same age is that age',
      aged(10000, '3600, 3600')],
    ['atlas-age-3600-3600-lines', 'Also on two lines',
      aged(10000, '3600', '3600')],
    ['atlas-age-word', 'A word is no age', aged(3600, 'abc')],
    ['atlas-age-negative', 'Nor is a negative number', aged(3600, '-7200')],
    ['atlas-age-float', 'Nor a number with a fraction', aged(3600, '7200.0')],
    ['atlas-age-plus', 'Nor a number with a sign', aged(3600, '+7200')],
    ['atlas-age-unit', 'Nor a number with a unit', aged(3600, '7200s')],
    ['atlas-age-hex', 'Nor one in another base', aged(3600, '0x1C20')],
    ['atlas-age-empty', 'Nor nothing at all', aged(3600, '')],
    ['atlas-age-word-7200', 'A first member that is no age has no successor',
      aged(3600, 'abc, 7200')]
  ])
]
