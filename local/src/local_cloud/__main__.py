"""Starts MiniStack (1.5.33) as an account that is as strict and as slow as AWS where it matters to
a stack.

MiniStack alone accepts what AWS refuses, and is faster than AWS. This folder runs inside its
process, because its CloudFormation calls functions directly, which a proxy couldn't see.
`differences` fixes errors, `strict` refuses and delays, `shapes` validates every request and
response with AWS's models.
"""

from ministack import app

import control
import decisions
import differences
import shapes
import strict
import unpacked

for layer in (differences, decisions, strict, shapes, control, unpacked):
    layer.install()

app.main()
