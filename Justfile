# Every command a person types. Only names stand here; the work is done by `infra` and `local`.
# Without `just` on the machine: ./justw <recipe>

# A recipe's arguments reach its command as they were typed, "$@": no shell reads them again.
set positional-arguments

export PATH := justfile_directory() / ".tools/bin" + ":" + env("PATH")

# Always the whole workspace: which features a dependency has depends on what is built with it, and
# this way synth, demo, clippy and tests share one build of each.
#
# A path that somebody types is relative to where they are, though everything runs here.
# Its hints name the command that was typed, ./justw or just.
typed := "GIT2S3_TYPED=" + quote(env("JUSTW", "just"))
infra := ".ci/build infra && " + typed + " GIT2S3_CALLER=" + quote(invocation_directory()) + " target/debug/infra"
local := ".ci/build local && " + typed + " target/debug/local"

# What ends with an error has said it: no line of just's behind it, [no-exit-message].

# List the commands
_default:
    @{{ quote(just_executable()) }} --justfile {{ quote(justfile()) }} --list --unsorted

# Show the whole way on this machine: push, zip in a bucket, second push, stack deleted
[no-exit-message]
demo *args: _cloud
    @{{ local }} demo "$@"

# Run every test: documentation examples, units, properties, rules, end to end
test *args: _tests _payloads _templates
    @.ci/test "$@"

# Run the tests that need no cloud and nothing that is fetched, of all crates or of these
quick *crates: _programs
    @.ci/quick "$@"

# Ask what a first deployment needs to know, and write git2s3.toml
[no-exit-message]
init *args:
    @{{ infra }} init "$@"

# Write the template to dist/, as JSON and as YAML
[no-exit-message]
synth *args:
    @{{ infra }} synth "$@"

# Check the template by the rules in policy/ (or another one: --template FILE)
[no-exit-message]
check *args:
    @{{ infra }} check "$@"

# Show how the template differs from the deployed one (or another: --against FILE, --against main)
[no-exit-message]
diff *args:
    @{{ infra }} diff "$@"

# Write dist/review.html for who has to agree to the stack, and open it
[no-exit-message]
review *args:
    @{{ infra }} review --open "$@"

# Write the picture that README shows
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

# Print a policy of IAM for who runs these recipes (look, deploy), or for what CloudFormation does for them (code, data)
[no-exit-message]
deployer-policy *args:
    @{{ infra }} deployer-policy "$@"

# Show how a deployed stack is doing
[no-exit-message]
status *args:
    @{{ infra }} status "$@"

# Tell what became of pushes, by delivery, from all logs (--follow goes on)
[no-exit-message]
logs *args:
    @{{ infra }} logs "$@"

# Move the dead-letter messages of a deployed stack back to their queues
[no-exit-message]
redrive *args:
    @{{ infra }} redrive "$@"

# Print the JSON Schema of git2s3.toml, of a custom resource's properties (ssh-key, bucket-cleaner), or of what acceptance writes
[no-exit-message]
schema *args:
    @{{ infra }} schema "$@"

# Print what makes a shell complete `infra`: completions bash, zsh or fish
[no-exit-message]
completions *args:
    @{{ infra }} completions "$@"

# Delete a deployed stack and everything it holds
[no-exit-message]
destroy *args:
    @{{ infra }} destroy "$@"

# Try in an AWS account what only AWS can show, with a stack of its own that is deleted again; for less than a dollar
[no-exit-message]
acceptance *args:
    @{{ infra }} acceptance "$@"

# Start the local cloud with the stack in it; it prints how to push and how to call it, dist/local.json says the same to programs
[no-exit-message]
local-up *args: _cloud
    @{{ local }} up "$@"

# Stop the local cloud and forget its state
[no-exit-message]
local-down *args:
    @{{ local }} down "$@"

# Show what is promised, how much of it was tried, and that nothing failed (--long: with load, and millions of hostile inputs)
prove *args: _tests _payloads
    cargo build --workspace --bins
    target/debug/local prove "$@"

# Show what works with which Git host, from the tests that pass
providers: _tests
    cargo build --workspace --bins
    target/debug/local providers

# Formatting and lints, as CI checks them
lint:
    cargo fmt --all --check
    cargo clippy --quiet --locked --workspace --all-targets -- -D warnings

# Build the crates' documentation, without a broken link
doc:
    RUSTDOCFLAGS='-D warnings -A rustdoc::private_intra_doc_links' cargo doc --quiet --locked --workspace --lib --no-deps --document-private-items

# Licences, sources, banned crates; known vulnerabilities, where the advisory database can be reached or was kept
deny: _programs
    cargo deny --all-features --log-level error check bans licenses sources
    @.ci/advisories

# What cfn-lint, checkov and cdk-nag find in the template; all of them, or these
linters *names: _programs synth
    @.ci/linters "$@"

# Measure the product beside its rivals, in one run; only the cases with one of these words (growth draws the pictures)
bench *args: _cloud _programs
    @.ci/bench "$@"

# Try hostile input on every parser, RUNS times each, under libFuzzer
fuzz *args: _programs _payloads
    @.ci/fuzz "$@"

# Start a function that was built for arm64, under qemu
arm64:
    @.ci/arm64

# Write the locks of what is fetched, versions and hashes, after a change in .ci/locked (--upgrade: all of it)
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

_templates:
    @sh .ci/templates
