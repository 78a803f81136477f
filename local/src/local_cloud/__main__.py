"""Starts MiniStack (1.5.33) as an account that is as strict and as slow as AWS where it matters to a stack.

MiniStack alone takes what AWS refuses, and does at once what takes AWS a while. What stands in this folder lives inside of its
process, because only there one sees what its CloudFormation makes: those are calls of functions, and nothing that a proxy
could look at. `differences` puts right what is wrong, `strict` refuses and delays, `shapes` holds every request and answer
to AWS's own models.
"""

from ministack import app

import control
import decisions
import differences
import shapes
import strict

for layer in (differences, decisions, strict, shapes, control):
    layer.install()

app.main()
