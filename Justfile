# All commands for people. The work is done by `infra` and `local`.
# Without `just`: ./justw <recipe>

# A recipe's arguments reach its command verbatim, "$@": no shell parses them again.
set positional-arguments

export PATH := justfile_directory() / ".tools/bin" + ":" + env("PATH")

# Always the whole workspace: a dependency's features depend on what is built together, and this
# way synth, demo, clippy and tests share one build of each.
#
# Paths in arguments are relative to the caller's folder, though everything runs here.
# Hints name the command that was typed, ./justw or just.
typed := "GIT2S3_TYPED=" + quote(env("JUSTW", "just"))
infra := ".ci/build infra && " + typed + " GIT2S3_CALLER=" + quote(invocation_directory()) + " target/debug/infra"
local := ".ci/build local && " + typed + " target/debug/local"

# Commands print their own errors, so just's line after them is suppressed: [no-exit-message].

# List the commands
_default:
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} --list --unsorted

# Show everything on this machine: push, zip in a bucket, second push, stack deleted
[no-exit-message]
demo *args: _cloud
    @{{ local }} demo "$@"

# Run the tests: documentation examples, units, properties, rules, end to end (--all: the longest, too)
test *args: _tests _payloads _specs _templates
    @.ci/test "$@"

# Run the tests that need no cloud and no downloads, of all crates or the given ones
quick *crates: _programs
    @.ci/quick "$@"

# Ask for the settings of a first deployment, and write git2s3.toml
[no-exit-message]
init *args:
    @{{ infra }} init "$@"

# Write the template to dist/, as JSON and as YAML
[no-exit-message]
synth *args:
    @{{ infra }} synth "$@"

# Check the template with the rules in policy/ (or another one: --template FILE)
[no-exit-message]
check *args:
    @{{ infra }} check "$@"

# Show how the template differs from the deployed one (or another: --against FILE, --against main)
[no-exit-message]
diff *args:
    @{{ infra }} diff "$@"

# Write dist/review.html for the people who approve the stack, and open it
[no-exit-message]
review *args:
    @{{ infra }} review --open "$@"

# Write the README's architecture diagram
[no-exit-message]
picture:
    @{{ infra }} review --svg {{ quote(justfile_directory() / "docs/architecture.svg") }}

# Build the functions and zip them for Lambda
[no-exit-message]
package *args:
    @{{ infra }} package "$@"

# Deploy the stack to the AWS account of the environment
[no-exit-message]
deploy *args:
    @{{ infra }} deploy "$@"

# Print an IAM policy for users of these recipes (look, deploy), or for CloudFormation's service role (code, data)
[no-exit-message]
deployer-policy *args:
    @{{ infra }} deployer-policy "$@"

# Show the state of a deployed stack
[no-exit-message]
status *args:
    @{{ infra }} status "$@"

# Show the log of all functions by delivery (--follow keeps watching)
[no-exit-message]
logs *args:
    @{{ infra }} logs "$@"

# Connect repositories: add deploy keys and webhooks at the Git host, and wait for the zips
[no-exit-message]
connect *args:
    @{{ infra }} connect "$@"

# Give a deployed stack a GitHub App: create it in the browser, or import the key of one
[no-exit-message]
app *args:
    @{{ infra }} app "$@"

# Follow the path of a push to a deployed stack, and say where it fails and what to do
[no-exit-message]
doctor *args:
    @{{ infra }} doctor "$@"

# Remove what connect added
[no-exit-message]
disconnect *args:
    @{{ infra }} disconnect "$@"

# List the SSH keys of a deployed stack and of its repositories
[no-exit-message]
keys *args:
    @{{ infra }} keys "$@"

# Tell the story of a push: received, queued, tried, stored where, or refused and why
[no-exit-message]
trace *args:
    @{{ infra }} trace "$@"

# Run the job of a push again, and wait for what becomes of it
[no-exit-message]
replay *args:
    @{{ infra }} replay "$@"

# Move the dead-letter messages of a deployed stack back to their queues
[no-exit-message]
redrive *args:
    @{{ infra }} redrive "$@"

# Print the JSON Schema of git2s3.toml, of a custom resource's properties (ssh-key, bucket-cleaner), of acceptance records, of events, or of a trace
[no-exit-message]
schema *args:
    @{{ infra }} schema "$@"

# Print shell completions for `infra`: completions bash, zsh or fish
[no-exit-message]
completions *args:
    @{{ infra }} completions "$@"

# Delete a deployed stack and everything in it
[no-exit-message]
destroy *args:
    @{{ infra }} destroy "$@"

# Test in an AWS account what only AWS can show, with a temporary stack, for less than a dollar
[no-exit-message]
acceptance *args:
    @{{ infra }} acceptance "$@"

# Start the local cloud with the stack, and print how to push and how to call it (for programs: dist/local.json)
[no-exit-message]
local-up *args: _cloud
    @{{ local }} up "$@"

# Stop the local cloud and remove its state
[no-exit-message]
local-down *args:
    @{{ local }} down "$@"

# Test the promises, and print how much was tried and how much failed (--long: with load, and millions of hostile inputs)
prove *args: _tests _payloads
    cargo build --workspace --bins
    target/debug/local prove "$@"

# Show what works with which Git host, from the tests that pass
providers: _tests
    cargo build --workspace --bins
    target/debug/local providers

# Check formatting and lints like CI
lint:
    cargo fmt --all --check
    cargo clippy --quiet --locked --workspace --all-targets -- -D warnings

# Build the crates' documentation, and fail on broken links
doc:
    RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --quiet --locked --workspace --lib --no-deps --document-private-items

# Check licences, sources, banned crates and, if the advisory database is available, known vulnerabilities
deny: _programs
    cargo deny --all-features --log-level error check bans licenses sources
    @.ci/advisories

# Print the findings of cfn-lint, checkov and cdk-nag in the template, or of the given ones
linters *names: _programs synth
    @.ci/linters "$@"

# Measure git2s3 and its rivals in one run; only the cases with one of these words (growth draws the charts)
bench *args: _cloud _programs
    @.ci/bench "$@"

# Fuzz every parser with libFuzzer, RUNS times each
fuzz *args: _programs _payloads
    @.ci/fuzz "$@"

# Start a function that was built for arm64 with qemu
arm64:
    @.ci/arm64

# Update the locks of downloads, versions and hashes, after a change in .ci/locked (--upgrade: all)
lock *args: _programs
    @.ci/lock "$@"

_cloud:
    @sh .ci/tools cloud

_programs:
    @sh .ci/tools programs

_tests:
    @sh .ci/tools tests

_payloads: _programs
    @sh .ci/payloads

_specs: _programs
    @sh .ci/specs

_templates:
    @sh .ci/templates
