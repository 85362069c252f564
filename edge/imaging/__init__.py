"""From pixels to crops: pure functions on arrays, in the order a picture passes through them.

`ink` finds what is written, `components` parts it into connected strokes, `rules` takes ruled lines away, `rows`
groups strokes into rows, `candidates` proposes what may be one digit, `normalise` makes each a crop as MNIST's are.
"""
