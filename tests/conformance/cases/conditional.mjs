// A client's conditions answered from the cache, and the cache's own put to
// the origin (RFC 9111 section 4.3, RFC 9110 section 13).
import { AGED, cc, dated, exchanges, reused, validated } from './lib/case.mjs'

const NOW = ['Date', 0]
const FRESH = cc('max-age=100000')
const MODIFIED = ['Last-Modified', -3000]
const TAG = ['ETag', '"abcdef"']
const WEAK = ['ETag', 'W/"abcdef"']

// The engine counts a date in If-Modified-Since from the answer before.
const since = (seconds, more) => ({
  second: {
    request_headers: [['If-Modified-Since', seconds]],
    magic_ims: true,
    expected_status: 304,
    ...more
  }
})

const sinceText = (date, status) => ({
  second: {
    request_headers: [['If-Modified-Since', date]],
    expected_status: status
  }
})

const LM = 'Sat, 01 Mar 2025 10:00:00 GMT'
const FULL = { expected_status: 200 }

const byDate = [
  ...reused('optimal', [
    ['atlas-ims-equal', 'The date of the copy', [FRESH, MODIFIED, NOW],
      since(-3000)],
    ['atlas-ims-later', 'A later date', [FRESH, MODIFIED, NOW], since(-2000)],
    ['atlas-ims-rfc850', 'In the form of RFC 850', [FRESH, MODIFIED, NOW],
      since(-3000, { rfc850date: ['if-modified-since'] })],
    ['atlas-ims-rfc850-later', 'A later date in that form',
      [FRESH, MODIFIED, NOW],
      since(-2000, { rfc850date: ['if-modified-since'] })],
    ['atlas-ims-asctime', 'In the form of asctime',
      [FRESH, ['Last-Modified', LM]],
      sinceText('Sat Mar  1 10:00:00 2025', 304)]
  ]),
  ...reused('required', [
    ['atlas-ims-earlier', 'An earlier date brings the whole copy',
      [FRESH, MODIFIED, NOW], since(-4000, FULL)],
    ['atlas-ims-no-date', 'So does what is no date',
      [FRESH, ['Last-Modified', LM]], sinceText('yesterday', 200)],
    ['atlas-ims-nothing-stored', 'So does a date before that of a copy without',
      [FRESH, NOW], since(-3000, FULL)]
  ]),
  ...dated('optimal', [
    ['atlas-ims-stale', 'A stale copy is validated first, then answers 304',
      [cc('max-age=10'), AGED, MODIFIED, NOW], since(-3000)],
    ['atlas-ims-stale-over', 'Also when it became stale here',
      [cc('max-age=1'), MODIFIED, NOW], { wait: true, ...since(-3000) }],
    ['atlas-ims-stale-own', 'By its own date, not by the client\'s',
      [cc('max-age=10'), AGED, MODIFIED, NOW], since(-2000)],
    ['atlas-ims-stale-earlier', 'A 200 where the client\'s date is earlier',
      [cc('max-age=10'), AGED, MODIFIED, NOW], since(-4000, FULL)],
    ['atlas-lm-validates', 'A stale copy is validated by its date',
      [cc('max-age=10'), AGED, ['Last-Modified', LM]],
      {
        second: {
          expected_status: 200,
          expected_request_headers: [['If-Modified-Since', LM]]
        }
      }]
  ])
]

const ifNone = (value, status = 304) => ({
  second: {
    request_headers: [value].flat().map(line => ['If-None-Match', line]),
    expected_status: status
  }
})

const ifBoth = (tag, seconds, status) => ({
  second: {
    request_headers: [['If-None-Match', tag], ['If-Modified-Since', seconds]],
    magic_ims: true,
    expected_status: status
  }
})

const byTag = [
  ...reused('optimal', [
    ['atlas-inm-strong', 'The tag of the copy', [FRESH, TAG],
      ifNone('"abcdef"')],
    ['atlas-inm-weak', 'A weak tag', [FRESH, WEAK], ifNone('W/"abcdef"')],
    ['atlas-inm-weak-asked', 'A weak form of a strong tag', [FRESH, TAG],
      ifNone('W/"abcdef"')],
    ['atlas-inm-weak-stored', 'A strong form of a weak tag', [FRESH, WEAK],
      ifNone('"abcdef"')],
    ['atlas-inm-list-first', 'First in a list', [FRESH, TAG],
      ifNone('"abcdef", "other"')],
    ['atlas-inm-list-middle', 'In the middle of a list', [FRESH, TAG],
      ifNone('"1", "abcdef", "2"')],
    ['atlas-inm-list-last', 'Last in a list', [FRESH, TAG],
      ifNone('"other", "abcdef"')],
    ['atlas-inm-list-weak', 'A weak tag in a list', [FRESH, WEAK],
      ifNone('"1", W/"2", W/"abcdef"')],
    ['atlas-inm-list-tight', 'In a list without spaces', [FRESH, TAG],
      ifNone('"1","abcdef","2"')],
    ['atlas-inm-list-lines', 'In the second of two lines', [FRESH, TAG],
      ifNone(['"other"', '"abcdef"'])],
    ['atlas-inm-any', 'Any tag at all', [FRESH, TAG], ifNone('*')],
    ['atlas-inm-comma', 'A tag with a comma', [FRESH, ['ETag', '"a,b"']],
      ifNone('"1", "a,b"')],
    ['atlas-inm-empty', 'A tag of nothing', [FRESH, ['ETag', '""']],
      ifNone('""')],
    ['atlas-inm-expires', 'Of a copy that is fresh by Expires',
      [['Expires', 100000], NOW, TAG], ifNone('"abcdef"')]
  ]),
  ...reused('required', [
    ['atlas-inm-other', 'Another tag brings the whole copy', [FRESH, TAG],
      ifNone('"other"', 200)],
    ['atlas-inm-part', 'So does a part of the tag', [FRESH, TAG],
      ifNone('"abc", "abcdefg"', 200)],
    ['atlas-inm-inside', 'So does the tag inside another',
      [FRESH, ['ETag', '"b"']], ifNone('"a,b,c"', 200)],
    ['atlas-inm-case', 'So does the tag in other letters', [FRESH, TAG],
      ifNone('"ABCDEF"', 200)],
    ['atlas-inm-before-ims', 'A tag that fits counts before an earlier date',
      [FRESH, TAG, MODIFIED, NOW], ifBoth('"abcdef"', -4000, 304)],
    ['atlas-inm-before-ims-later', 'Also before a later one',
      [FRESH, TAG, MODIFIED, NOW], ifBoth('"abcdef"', -1, 304)],
    ['atlas-inm-other-before-ims', 'A tag that does not fit counts, too',
      [FRESH, TAG, MODIFIED, NOW], ifBoth('"other"', -1, 200)]
  ]),
  // RFC 9110 section 15.4.5.
  ...exchanges('required', [
    ['atlas-304-fields', 'What a 304 from the cache carries',
      {
        response_headers: [cc('max-age=3600'), TAG, NOW, ['Expires', LM],
          ['Vary', 'Foo'], ['Content-Location', '/x']],
        setup: true
      },
      {
        request_headers: [['If-None-Match', '"abcdef"']],
        expected_type: 'cached',
        expected_status: 304,
        expected_response_headers: [TAG, ['Cache-Control', 'max-age=3600'],
          ['Expires', LM], ['Vary', 'Foo'], ['Content-Location', '/x'], 'Date']
      }
    ],
    ['atlas-304-etag-weak', 'A weak tag stays weak in it',
      { response_headers: [FRESH, WEAK], setup: true },
      {
        request_headers: [['If-None-Match', '"abcdef"']],
        expected_type: 'cached',
        expected_status: 304,
        expected_response_headers: [WEAK]
      }
    ]
  ])
]

const asks = (tag, more) => ({
  second: {
    expected_status: 200,
    expected_request_headers: [['If-None-Match', tag]],
    ...more
  }
})

const STALE = cc('max-age=10')

const own = [
  ...validated('optimal', [
    ['atlas-etag-validates', 'A stale copy is validated by its tag',
      [STALE, AGED, TAG], asks('"abcdef"')],
    ['atlas-etag-validates-over', 'Also when it became stale here',
      [['Expires', 1], NOW, TAG], { wait: true, ...asks('"abcdef"') }],
    ['atlas-etag-validates-weak', 'By a weak one', [STALE, AGED, WEAK],
      asks('W/"abcdef"')],
    ['atlas-etag-validates-empty', 'By one of nothing',
      [STALE, AGED, ['ETag', '""']], asks('""')],
    ['atlas-etag-validates-comma', 'By one with a comma and a backslash',
      [STALE, AGED, ['ETag', '"a,\\b"']], asks('"a,\\b"')],
    ['atlas-etag-validates-both', 'By its tag also when it has a date',
      [STALE, AGED, TAG, MODIFIED, NOW], asks('"abcdef"')],
    ['atlas-etag-validates-own', 'By its own tag, not by the client\'s',
      [STALE, AGED, TAG],
      asks('"abcdef"', {
        request_headers: [['If-None-Match', '"other", "another"']]
      })],
    ['atlas-etag-validates-304', 'Then a client that has it gets a 304',
      [STALE, AGED, TAG],
      asks('"abcdef"', {
        request_headers: [['If-None-Match', '"other", "abcdef"']],
        expected_status: 304
      })]
  ]),
  ...exchanges('required', [
    ['atlas-etag-validates-vary', 'Fields that Vary names go along',
      {
        request_headers: [['Abc', '123']],
        response_headers: [STALE, AGED, TAG, ['Vary', 'Abc']],
        setup: true
      },
      {
        request_headers: [['Abc', '123']],
        expected_type: 'etag_validated',
        expected_status: 200,
        expected_request_headers: [['Abc', '123']]
      }
    ]
  ])
]

export default [...byDate, ...byTag, ...own]
