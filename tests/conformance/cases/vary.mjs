// Which variant answers which request (RFC 9111 section 4.1).
import { exchanges } from './lib/case.mjs'

const LIFETIME = [['Expires', 5000], ['Last-Modified', -3000], ['Date', 0]]

// { Foo: '1' } as lines of a request; a list is one line for each member.
const lines = fields => Object.entries(fields).flatMap(([name, values]) =>
  [values].flat().map(value => [name, value]))

const varying = names => [
  ...LIFETIME,
  ...[names].flat().map(name => ['Vary', name, ![names].flat().includes('')])
]

// id, name, Vary (a list: so many lines), the fields of either request, and
// other fields of the answer.
const variants = (kind, type, rows) => exchanges(kind,
  rows.map(([id, name, vary, stored, presented, ...fields]) => [id, name,
    {
      request_headers: lines(stored),
      response_headers: [...varying(vary), ...fields],
      setup: true
    },
    { request_headers: lines(presented), expected_type: type }
  ]))

const matched = (kind, rows) => variants(kind, 'cached', rows)
const missed = (kind, rows) => variants(kind, 'not_cached', rows)

const selection = [
  ...matched('optimal', [
    ['atlas-vary-match', 'The same value', 'Foo', { Foo: '1' }, { Foo: '1' }],
    ['atlas-vary-both-absent', 'The field is absent both times', 'Foo', {}, {}],
    ['atlas-vary-name-case', 'Field names are compared without case', 'fOO',
      { Foo: '1' }, { foo: '1' }],
    ['atlas-vary-2-match', 'Two fields match', 'Foo, Bar',
      { Foo: '1', Bar: 'abc' }, { Foo: '1', Bar: 'abc' }],
    ['atlas-vary-2-lines-match', 'Two fields, each on a line of Vary',
      ['Foo', 'Bar'], { Foo: '1', Bar: 'abc' }, { Foo: '1', Bar: 'abc' }],
    ['atlas-vary-3-match', 'Three fields match', 'Foo, Bar, Baz',
      { Foo: '1', Bar: 'abc', Baz: '789' },
      { Foo: '1', Bar: 'abc', Baz: '789' }],
    ['atlas-vary-3-order', 'Whatever their order in the request',
      'Foo, Bar, Baz', { Foo: '1', Bar: 'abc', Baz: '789' },
      { Baz: '789', Foo: '1', Bar: 'abc' }],
    ['atlas-vary-3-omitted', 'Two match, and one is absent both times',
      'Foo, Bar, Baz', { Foo: '1', Baz: '789' }, { Foo: '1', Baz: '789' }],
    ['atlas-vary-other-field', 'A field that Vary does not name differs', 'Foo',
      { Foo: '1', Other: '2' }, { Foo: '1', Other: '3' }]
  ]),
  ...missed('required', [
    ['atlas-vary-differs', 'Another value', 'Foo', { Foo: '1' }, { Foo: '2' }],
    ['atlas-vary-absent-first', 'Absent at first, then present', 'Foo',
      {}, { Foo: '1' }],
    ['atlas-vary-absent-then', 'Present at first, then absent', 'Foo',
      { Foo: '1' }, {}],
    ['atlas-vary-empty', 'Empty is not absent', 'Foo', { Foo: '' }, {}],
    ['atlas-vary-name-case-differs', 'Another value, names in other letters',
      'fOO', { Foo: '1' }, { foo: '2' }],
    ['atlas-vary-2-first', 'The first of two differs', 'Foo, Bar',
      { Foo: '1', Bar: 'abc' }, { Foo: '2', Bar: 'abc' }],
    ['atlas-vary-2-second', 'The second of two differs', 'Foo, Bar',
      { Foo: '1', Bar: 'abc' }, { Foo: '1', Bar: 'abcd' }],
    ['atlas-vary-2-lines', 'The field of the second line of Vary differs',
      ['Foo', 'Bar'], { Foo: '1', Bar: 'abc' }, { Foo: '1', Bar: 'abcd' }],
    ['atlas-vary-2-omitted', 'One of two is absent', 'Foo, Bar',
      { Foo: '1', Bar: 'abc' }, { Foo: '1' }],
    ['atlas-vary-2-swapped', 'The values of two are exchanged', 'Foo, Bar',
      { Foo: '1', Bar: '2' }, { Foo: '2', Bar: '1' }],
    ['atlas-vary-3-differs', 'The middle one of three differs',
      'Foo, Bar, Baz', { Foo: '1', Bar: 'abc4', Baz: '789' },
      { Foo: '1', Bar: 'abc', Baz: '789' }],
    ['atlas-vary-3-last', 'The last of three differs', 'Foo, Bar, Baz',
      { Foo: '1', Bar: 'abc', Baz: '789' },
      { Foo: '1', Bar: 'abc', Baz: '78' }]
  ])
]

const variant = (value, type, body) => ({
  request_headers: value ? [['Foo', value]] : [],
  response_headers: varying('Foo'),
  response_body: body,
  ...(type ? { expected_type: type } : { setup: true })
})

const kept = exchanges('optimal', [
  ['atlas-vary-keeps-2', 'A second variant does not displace the first',
    variant('1', null, 'one'), variant('2', 'not_cached', 'two'),
    variant('1', 'cached', 'one')],
  ['atlas-vary-keeps-both', 'Nor is it lost itself',
    variant('1', null, 'one'), variant('2', 'not_cached', 'two'),
    variant('1', 'cached', 'one'), variant('2', 'cached', 'two')],
  ['atlas-vary-keeps-3', 'Three are kept, one for the field absent',
    variant('1', null, 'one'), variant('2', 'not_cached', 'two'),
    variant('', 'not_cached', 'none'), variant('1', 'cached', 'one'),
    variant('2', 'cached', 'two'), variant('', 'cached', 'none')]
])

const AL = 'Accept-Language'
const language = value => ({ [AL]: value })

const normalised = [
  ...matched('optimal', [
    ['atlas-vary-space', 'Spaces round commas and ends do not count', 'Foo',
      { Foo: '1,2' }, { Foo: ' 1, 2 ' }],
    ['atlas-vary-space-before', 'Nor does one before a comma', 'Foo',
      { Foo: '1, 2' }, { Foo: '1 ,2' }],
    ['atlas-vary-space-tab', 'Nor do tabs', 'Foo',
      { Foo: '1,2' }, { Foo: '1,\t 2' }],
    ['atlas-vary-combine', 'Two lines are one list', 'Foo',
      { Foo: '1, 2' }, { Foo: ['1', '2'] }],
    ['atlas-vary-combine-first', 'Also when they came first', 'Foo',
      { Foo: ['1', '2'] }, { Foo: '1,2' }],
    ['atlas-vary-language-order', 'The order of languages does not count', AL,
      language('en, de'), language('de, en')],
    ['atlas-vary-language-order-3', 'Nor that of three', AL,
      language('en, de, fr'), language('fr, en, de')],
    ['atlas-vary-language-case', 'Nor their case', AL,
      language('en, de'), language('eN, De')],
    ['atlas-vary-language-space', 'Nor spaces', AL,
      language('en, de'), language(' en ,   de')],
    ['atlas-vary-language-all', 'Nor all of that at once', AL,
      language('en-GB,de'), language('DE , EN-gb')],
    ['atlas-vary-language-weights', 'The order of weighted ones does not count',
      AL, language('en;q=0.5, de'), language('de, en;q=0.5')]
  ]),
  ...missed('required', [
    ['atlas-vary-order', 'In other fields the order counts', 'Foo',
      { Foo: '1, 2' }, { Foo: '2, 1' }],
    ['atlas-vary-case', 'And case', 'Foo', { Foo: 'abc' }, { Foo: 'ABC' }],
    ['atlas-vary-space-inside', 'And a space inside a member', 'Foo',
      { Foo: '1 2' }, { Foo: '12' }],
    ['atlas-vary-language-other', 'Another language', AL,
      language('en, de'), language('en, fr')],
    ['atlas-vary-language-fewer', 'One language less', AL,
      language('en, de'), language('en')],
    ['atlas-vary-language-weights-other', 'The weights exchanged', AL,
      language('en, de;q=0.5'), language('en;q=0.5, de')]
  ])
]

const GERMAN = ['Content-Language', 'de']

const selected = [
  ...matched('optimal', [
    ['atlas-vary-language-select', 'The copy in the language preferred', AL,
      language('en, de'), language('fr;q=0.5, de;q=1.0'), GERMAN]
  ]),
  ...missed('required', [
    ['atlas-vary-language-select-other', 'Not the copy in another language',
      AL, language('en, de'), language('fr, de;q=0.5'), GERMAN],
    ['atlas-vary-language-select-refused', 'Nor in one that is refused', AL,
      language('en, de'), language('de;q=0, fr'), GERMAN]
  ])
]

const SAME = { Foo: '1', Baz: '789' }

const any = missed('required', [
  ['atlas-vary-any', 'Vary: * fits no other request', '*', SAME, SAME],
  ['atlas-vary-any-any', 'Twice in a line', '*, *', SAME, SAME],
  ['atlas-vary-any-any-lines', 'On two lines', ['*', '*'], SAME, SAME],
  ['atlas-vary-any-after-empty', 'After an empty member', ', *', SAME, SAME],
  ['atlas-vary-any-after-empty-line', 'After an empty line', ['', '*'],
    SAME, SAME],
  ['atlas-vary-any-first', 'Before a name', '*, Foo', SAME, SAME],
  ['atlas-vary-any-last', 'After a name', 'Foo, *', SAME, SAME],
  ['atlas-vary-any-tight', 'After a name, without a space', 'Foo,*',
    SAME, SAME],
  ['atlas-vary-any-first-line', 'On the line before a name', ['*', 'Foo'],
    SAME, SAME],
  ['atlas-vary-any-last-line', 'On the line after a name', ['Foo', '*'],
    SAME, SAME]
])

export default [...selection, ...kept, ...normalised, ...selected, ...any]
