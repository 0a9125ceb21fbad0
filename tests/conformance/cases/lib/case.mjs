// What most cases are made of, in the format of http-cache-tests: an answer of
// the origin, then a request whose answer tells where it came from.
//
// The ids stand in full in the files that use these: tests/lint/behaviours.sh
// finds them there, at the start of a row or after `id:`.

export const AGED = ['Age', '15']

export const cc = (value, compared = true) =>
  ['Cache-Control', value, compared]

// The engine writes into the requests it sends, so nothing is shared.
const copy = value => JSON.parse(JSON.stringify(value))

/** A case of any number of requests. */
export function exchange (kind, [id, name, ...requests]) {
  return { id, name, kind, requests: copy(requests) }
}

/**
 * Cases of two requests for the same URL, the second with `type` as what is
 * expected of it. A row: id, name, fields of the first answer, and what else
 * the two requests have (`both`, `first`, `second`; `wait`: 3 s between them).
 */
function pairs (kind, type, rows) {
  return rows.map(([id, name, fields, { wait, both, first, second } = {}]) =>
    exchange(kind, [
      id,
      name,
      {
        response_headers: fields,
        setup: true,
        ...(wait ? { pause_after: true } : {}),
        ...both,
        ...first
      },
      { expected_type: type, ...both, ...second }
    ]))
}

export const reused = (kind, rows) => pairs(kind, 'cached', rows)
export const refetched = (kind, rows) => pairs(kind, 'not_cached', rows)

/**
 * Refetched, of what is stored although it is stale: for its tag, by which it
 * could be validated. The origin answers 200 all the same.
 */
export const expired = (kind, rows) => refetched(kind,
  rows.map(([id, name, fields, more]) =>
    [id, name, [...fields, ['ETag', '"abcd"']], more]))

export const validated = (kind, rows) => pairs(kind, 'etag_validated', rows)
export const dated = (kind, rows) => pairs(kind, 'lm_validated', rows)

/** Cases of more requests. A row: id, name, the requests. */
export const exchanges = (kind, rows) => rows.map(row => exchange(kind, row))
