// What of Cache-Control is a directive, and what only looks like one
// (RFC 9111 section 5.2, RFC 9110 section 5.6).
import { cc, expired, reused } from './lib/case.mjs'

export default [
  ...expired('required', [
    ['atlas-parse-quoted-before', 'max-age in quotes, before the real one',
      [cc('ext="max-age=3600", max-age=0')]],
    ['atlas-parse-quoted-after', 'max-age in quotes, after the real one',
      [cc('max-age=0, ext="max-age=3600"')]],
    ['atlas-parse-quoted-alone', 'max-age in quotes, without a real one',
      [cc('ext="max-age=3600"')]],
    ['atlas-parse-quoted-member', 'A list in quotes holds no directives',
      [cc('max-age=0, ext="a, max-age=3600, b"')]],
    ['atlas-parse-quoted-s-maxage', 's-maxage in quotes is none, either',
      [cc('ext="s-maxage=3600", max-age=0')]],
    ['atlas-parse-quoted-escape', 'An escaped quote does not end the string',
      [cc('ext="a\\", max-age=3600, b", max-age=0')]],
    ['atlas-parse-single-quotes', 'Single quotes quote nothing',
      [cc("max-age='3600'")]]
  ]),
  ...reused('required', [
    ['atlas-parse-leading-zeros', 'Leading zeros belong to the number',
      [cc('max-age=003600')]]
  ]),
  ...reused('optimal', [
    ['atlas-parse-quoted-zero', 'max-age=0 in quotes ends nothing',
      [cc('ext="max-age=0", max-age=3600')]],
    ['atlas-parse-quoted-no-store', 'no-store in quotes forbids nothing',
      [cc('ext="no-store, private, no-cache", max-age=3600')]],
    ['atlas-parse-quoted-escape-zero',
      'What follows an escaped quote is still quoted',
      [cc('ext="a\\", no-store, b", max-age=3600')]]
  ])
]
