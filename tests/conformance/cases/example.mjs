// How a case of ours looks: an object in the suite's own format, with an id
// that begins with "atlas-". README.md says what the format can express.
export default [
  {
    name: 'A fresh response is reused, whatever the request says in Pragma',
    id: 'atlas-example-hit',
    requests: [
      {
        response_headers: [['Cache-Control', 'max-age=3600']],
        setup: true
      },
      {
        expected_type: 'cached'
      }
    ]
  },
  {
    name: 'A 502 or 504 of ours, not a dropped connection, when the origin is gone',
    id: 'atlas-example-origin-gone',
    requests: [
      {
        disconnect: true,
        expected_status: 502,
        check_body: false
      }
    ]
  }
]
