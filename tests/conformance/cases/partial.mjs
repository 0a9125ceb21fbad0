// Parts of what is stored (RFC 9110 section 14, RFC 9111 section 3.3).
import { cc, exchanges } from './lib/case.mjs'

const FRESH = cc('max-age=3600')
const TEN = '0123456789'

const whole = {
  response_headers: [FRESH, ['ETag', '"abcdef"'], ['A', '1']],
  response_body: TEN,
  setup: true
}

const range = (value, ...more) => [['Range', `bytes=${value}`], ...more]

// `at`: the positions in Content-Range.
const part = (value, text, at) => [whole, {
  request_headers: range(value),
  // What the origin would say now is not asked for.
  response_headers: [['A', '2', false]],
  expected_type: 'cached',
  expected_status: 206,
  expected_response_text: text,
  expected_response_headers: [['Content-Range', `bytes ${at}/10`]]
}]

const cut = exchanges('optimal', [
  ['atlas-range-first', 'From the start', ...part('0-1', '01', '0-1')],
  ['atlas-range-one', 'A single byte', ...part('0-0', '0', '0-0')],
  ['atlas-range-middle', 'From the middle', ...part('3-6', '3456', '3-6')],
  ['atlas-range-open', 'To the end', ...part('1-', '123456789', '1-9')],
  ['atlas-range-open-0', 'From the start to the end',
    ...part('0-', TEN, '0-9')],
  ['atlas-range-suffix', 'The last byte', ...part('-1', '9', '9-9')],
  ['atlas-range-suffix-3', 'The last bytes', ...part('-3', '789', '7-9')],
  ['atlas-range-past-end', 'Past the end', ...part('8-100', '89', '8-9')],
  ['atlas-range-suffix-long', 'More last bytes than there are',
    ...part('-100', TEN, '0-9')]
])

// RFC 9110 section 15.3.7: fields of the stored response go with its parts.
const fields = (value) => [whole, {
  request_headers: range(value),
  response_headers: [['A', '2', false]],
  expected_type: 'cached',
  expected_status: 206,
  expected_response_text: null,
  expected_response_headers: [['A', '1'], ['ETag', '"abcdef"'],
    ['Cache-Control', 'max-age=3600']]
}]

const stored = exchanges('required', [
  ['atlas-range-fields', 'A part has the fields of the whole',
    ...fields('0-1')],
  ['atlas-range-fields-suffix', 'So has one from the end', ...fields('-1')],
  ['atlas-range-fields-open', 'So has one to the end', ...fields('1-')],
  ['atlas-range-unsatisfied', 'A part outside the whole is refused',
    whole,
    {
      request_headers: range('10-'),
      expected_status: 416,
      check_body: false,
      expected_response_headers: [['Content-Range', 'bytes */10']]
    }
  ],
  ['atlas-range-content-range', 'A Content-Range of the whole is not its part',
    {
      response_headers: [FRESH, ['Content-Range', 'bytes 0-4/5']],
      response_body: TEN,
      setup: true
    },
    {
      request_headers: range('0-1'),
      expected_type: 'cached',
      expected_status: 206,
      expected_response_text: '01',
      expected_response_headers: [['Content-Range', 'bytes 0-1/10']]
    }
  ],
  ['atlas-range-if-range', 'If-Range with the tag of the copy',
    whole,
    {
      request_headers: range('0-1', ['If-Range', '"abcdef"']),
      expected_type: 'cached',
      expected_status: 206,
      expected_response_text: '01'
    }
  ],
  ['atlas-range-if-range-other', 'If-Range with another brings the whole',
    whole,
    {
      request_headers: range('0-1', ['If-Range', '"other"']),
      expected_type: 'cached',
      expected_status: 200,
      expected_response_text: TEN
    }
  ]
])

// What came in parts is never passed off as the whole.
const PART = { response_status: [206, 'Partial Content'], setup: true }

const parts = exchanges('required', [
  ['atlas-206-not-whole', 'A stored part is not the whole',
    {
      ...PART,
      request_headers: range('0-4'),
      response_headers: [FRESH, ['Content-Range', 'bytes 0-4/10']],
      response_body: '01234'
    },
    { response_body: TEN, expected_type: 'not_cached' }
  ],
  ['atlas-206-not-other', 'Nor another part',
    {
      ...PART,
      request_headers: range('0-4'),
      response_headers: [FRESH, ['Content-Range', 'bytes 0-4/10']],
      response_body: '01234'
    },
    {
      ...PART,
      request_headers: range('5-9'),
      response_headers: [['Content-Range', 'bytes 5-9/10']],
      response_body: '56789',
      setup: false,
      expected_type: 'not_cached'
    }
  ],
  ['atlas-206-not-combined', 'Parts with different tags make no whole',
    {
      ...PART,
      request_headers: range('0-4'),
      response_headers: [FRESH, ['ETag', '"a"'],
        ['Content-Range', 'bytes 0-4/10']],
      response_body: '01234'
    },
    {
      ...PART,
      request_headers: range('5-9'),
      response_headers: [FRESH, ['ETag', '"b"'],
        ['Content-Range', 'bytes 5-9/10']],
      response_body: 'fghij'
    },
    { response_body: TEN, expected_type: 'not_cached' }
  ],
  ['atlas-206-not-combined-weak', 'Nor do parts with the same weak tag',
    {
      ...PART,
      request_headers: range('0-4'),
      response_headers: [FRESH, ['ETag', 'W/"a"'],
        ['Content-Range', 'bytes 0-4/10']],
      response_body: '01234'
    },
    {
      ...PART,
      request_headers: range('5-9'),
      response_headers: [FRESH, ['ETag', 'W/"a"'],
        ['Content-Range', 'bytes 5-9/10']],
      response_body: 'fghij'
    },
    { response_body: TEN, expected_type: 'not_cached' }
  ],
  ['atlas-206-not-displacing', 'A part does not displace a fresh whole',
    whole,
    {
      ...PART,
      request_headers: range('0-4', ['If-Range', '"other"']),
      response_headers: [FRESH, ['ETag', '"other"'],
        ['Content-Range', 'bytes 0-4/10']],
      response_status: [200, 'OK'],
      response_body: TEN
    },
    { response_body: TEN, expected_type: 'cached' }
  ]
])

export default [...cut, ...stored, ...parts]
