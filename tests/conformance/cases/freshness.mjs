// How long max-age and s-maxage make a response fresh, and against what age
// (RFC 9111 sections 4.2, 4.2.1, 4.2.3, 5.2.2.1, 5.2.2.10).
import { AGED, cc, expired, refetched, reused } from './lib/case.mjs'

const PAST = ['Expires', -7200]
const FUTURE = ['Expires', 3600]
const NOW = ['Date', 0]
const TWO_MINUTES = ['Age', '120']

const lifetimes = [
  ...refetched('required', [
    ['atlas-fresh-none', 'Without freshness and validator nothing is reused',
      []]
  ]),
  ...expired('required', [
    ['atlas-fresh-max-age-0', 'A lifetime of nothing is over at once',
      [cc('max-age=0')]],
    ['atlas-fresh-over', 'A copy that was here for longer than that is stale',
      [cc('max-age=1')], { wait: true }],
    ['atlas-fresh-over-2', 'So is one whose lifetime of 2 s is over',
      [cc('max-age=2')], { wait: true }],
    ['atlas-fresh-age-equal', 'At exactly its lifetime a response is stale',
      [cc('max-age=3600'), ['Age', '3600']]],
    ['atlas-fresh-age-above', 'What arrives older than its lifetime is stale',
      [cc('max-age=3600'), ['Age', '7200'], NOW]],
    ['atlas-fresh-age-and-time-here', 'Age and the time spent here add up',
      [cc('max-age=3600'), ['Age', '3598']], { wait: true }],
    ['atlas-fresh-0-future-expires', 'max-age=0 counts before a future Expires',
      [cc('max-age=0'), FUTURE, NOW]],
    ['atlas-fresh-negative', 'A negative max-age makes nothing fresh',
      [cc('max-age=-3600')]],
    ['atlas-fresh-negative-1', 'Nor does a max-age of -1',
      [cc('max-age=-1')]]
  ]),
  ...reused('optimal', [
    ['atlas-fresh-max-age', 'max-age makes fresh', [cc('max-age=3600')]],
    ['atlas-fresh-max-age-later', 'And does so for as long as it says',
      [cc('max-age=60')], { wait: true }],
    ['atlas-fresh-age-below', 'A response is fresh up to its lifetime',
      [cc('max-age=3600'), ['Age', '3500']]],
    ['atlas-fresh-past-expires', 'max-age counts before a past Expires',
      [cc('max-age=3600'), PAST, NOW]],
    ['atlas-fresh-expires-zero', 'And before an Expires of 0',
      [cc('max-age=3600'), ['Expires', '0'], NOW]],
    ['atlas-fresh-expires-word', 'And before an Expires that is no date',
      [cc('max-age=3600'), ['Expires', 'tomorrow'], NOW]]
  ])
]

// RFC 9111 section 1.2.2: what is too large to be held counts as very large.
const large = reused('optimal', [
  ['atlas-fresh-2147483647', 'max-age just below 2^31',
    [cc('max-age=2147483647')]],
  ['atlas-fresh-2147483648', 'max-age of 2^31', [cc('max-age=2147483648')]],
  ['atlas-fresh-2147483649', 'max-age just above 2^31',
    [cc('max-age=2147483649')]],
  ['atlas-fresh-4294967296', 'max-age of 2^32', [cc('max-age=4294967296')]],
  ['atlas-fresh-99999999999', 'max-age of eleven digits',
    [cc('max-age=99999999999')]],
  ['atlas-fresh-9223372036854775808', 'max-age of 2^63',
    [cc('max-age=9223372036854775808')]],
  ['atlas-fresh-18446744073709551616', 'max-age of 2^64, which is not 0',
    [cc('max-age=18446744073709551616')]],
  ['atlas-fresh-40-digits', 'max-age of forty digits',
    [cc('max-age=1000000000000000000000000000000000000000')]],
  ['atlas-fresh-large-and-aged', 'A huge lifetime is long for an old response',
    [cc('max-age=99999999999'), ['Age', '7200']]]
])

const names = reused('optimal', [
  ['atlas-fresh-unknown-before', 'An unknown directive before max-age',
    [cc('foobar, max-age=3600')]],
  ['atlas-fresh-unknown-after', 'An unknown directive after max-age',
    [cc('max-age=3600, foobar')]],
  ['atlas-fresh-unknown-value', 'An unknown directive with a value',
    [cc('foo=bar, max-age=3600')]],
  ['atlas-fresh-unknown-line', 'An unknown directive on a line of its own',
    [cc('foobar'), cc('max-age=3600')]],
  ['atlas-fresh-similar-names', 'Names that only begin or end like max-age',
    [cc('max-age-ext=0, x-max-age=0, max-age=3600')]],
  ['atlas-fresh-empty-members', 'Empty members of the list mean nothing',
    [cc(', , max-age=3600,')]],
  ['atlas-fresh-mixed-case', 'Names are compared without case',
    [cc('MaX-aGe=3600')]],
  ['atlas-fresh-upper-case', 'In capitals as well', [cc('MAX-AGE=3600')]],
  ['atlas-fresh-s-mixed-case', 's-maxage likewise', [cc('S-MaXaGe=3600')]]
])

const shared = [
  ...reused('required', [
    ['atlas-fresh-s-maxage', 's-maxage alone makes fresh',
      [cc('s-maxage=3600')]]
  ]),
  ...expired('required', [
    ['atlas-fresh-s-short', 'A short s-maxage beats a long max-age',
      [cc('max-age=3600, s-maxage=60'), TWO_MINUTES]],
    ['atlas-fresh-s-short-first', 'Also when it comes first',
      [cc('s-maxage=60, max-age=3600'), TWO_MINUTES]],
    ['atlas-fresh-s-short-lines', 'Also on a line of its own',
      [cc('max-age=3600'), cc('s-maxage=60'), TWO_MINUTES]],
    ['atlas-fresh-s-short-lines-first', 'Also on an earlier line',
      [cc('s-maxage=60'), cc('max-age=3600'), TWO_MINUTES]],
    ['atlas-fresh-s-short-over', 'It ends after the time it says',
      [cc('max-age=3600, s-maxage=1')], { wait: true }],
    ['atlas-fresh-s-0', 's-maxage=0 beats max-age and Expires',
      [cc('s-maxage=0, max-age=3600'), FUTURE, NOW]],
    ['atlas-fresh-s-aged', 'Age counts against s-maxage, too',
      [cc('s-maxage=10'), AGED]]
  ]),
  ...reused('optimal', [
    ['atlas-fresh-s-long', 'A long s-maxage beats a short max-age',
      [cc('max-age=60, s-maxage=3600'), TWO_MINUTES]],
    ['atlas-fresh-s-long-first', 'Also when it comes first',
      [cc('s-maxage=3600, max-age=60'), TWO_MINUTES]],
    ['atlas-fresh-s-long-lines', 'Also on a line of its own',
      [cc('max-age=60'), cc('s-maxage=3600'), TWO_MINUTES]],
    ['atlas-fresh-s-long-lines-first', 'Also on an earlier line',
      [cc('s-maxage=3600'), cc('max-age=60'), TWO_MINUTES]],
    ['atlas-fresh-s-long-past-expires',
      's-maxage beats max-age=0 and a past Expires',
      [cc('max-age=0, s-maxage=3600'), PAST, NOW]],
    ['atlas-fresh-s-long-past-expires-first', 'Also when it comes first',
      [cc('s-maxage=3600, max-age=0'), PAST, NOW]]
  ])
]

export default [...lifetimes, ...large, ...names, ...shared]
