#!/usr/bin/env bash
# Breaks the product on purpose, one line at a time, in a copy of it: each break must turn a test red. See --help.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)

usage() {
  cat <<'TEXT'
usage: tests/mutate.sh [--help] [--list] [name ...]

Copies the repository to a temporary folder, checks there that the tests named by each mutation are green, then applies one
mutation after the other, builds, runs its tests and requires at least one of them to fail. A mutation whose line is not found
once and only once, or that does not build, counts as a failure of this script.
A name runs only the mutations whose name contains it.
  --list    the mutations
TEXT
}

sqlite=Penstock.Sqlite.Tests unit=Penstock.Tests ends=Penstock.EndToEnd
store=src/Penstock.Sqlite/Budgets/SqliteBudgetStore.cs
names=() files=() edits=() suites=() filters=()

# mutation <name> <file> <sed expression> <suite> <filter of xunit's runner>
mutation() {
  names+=("$1") files+=("$2") edits+=("$3") suites+=("$4") filters+=("$5")
}

properties='-class *SqliteBudgetPropertyTests'

# The conditions of the embedded store.
mutation 'sqlite: the cap refuses nothing' $store 's/if (granted < request\.Least)$/if (granted < request.Least \&\& request.Wanted < Money.Zero)/' $sqlite "$properties"
mutation 'sqlite: the cap cuts nothing down' $store 's/if (standing\.Remaining < granted) granted = standing\.Remaining;//' $sqlite "$properties"
mutation 'sqlite: a soft budget refuses' $store 's/if (!standing\.Budget\.Hard) continue;//' $sqlite "$properties"
mutation 'sqlite: a second settle counts' $store 's/if (ends\.Count == 0)/if (ends.Count >= 0)/' $sqlite "$properties"
mutation 'sqlite: a late settle is not corrected' $store 's/Cost = row\.Cost - booked\.Cost/Cost = row.Cost/' $sqlite "$properties"
mutation 'sqlite: a settle gives back nothing' $store '/LedgerEntryKind\.Release/s/Money\.Zero - hold\.Granted/Money.Zero/' $sqlite "$properties"
mutation 'sqlite: a call counts when it ends' $store 's/At = reserved\.At,/At = row.At,/' $sqlite "$properties"
mutation 'sqlite: an expired hold is refunded' src/Penstock.Sqlite/Budgets/HoldRows.cs 's/Cost = Granted,/Cost = Money.Zero,/' $sqlite "$properties"
mutation 'sqlite: a hold expires too late' src/Penstock.Sqlite/Budgets/HoldRows.cs 's/expires_at <= \$now/expires_at < $now/' $sqlite "$properties"
mutation 'sqlite: a new budget forgets what runs' src/Penstock.Sqlite/Budgets/Books.cs 's/Held = Balances\.Held(session, tenant, scope, from, to)/Held = Money.Zero/' $sqlite "$properties"
mutation 'sqlite: a new budget forgets what was spent' src/Penstock.Sqlite/Budgets/Books.cs 's/{ Spent = spent, /{ Spent = Money.Zero, /' $sqlite "$properties"

# Budgets and holds.
failures() { printf -- '-method *BudgetFailureTests.%s*' "$1"; }
mutation 'race: held after the check, outside the store' src/Penstock/Budgets/Holds.cs 's/Wanted = need\.Ceiling,/Wanted = new Money(1),/;s/Least = need\.Least,/Least = new Money(1),/' $unit "$(failures Check_then_increment_race)"
mutation 'leak: a call that cost nothing keeps its hold' src/Penstock/Budgets/Holds.cs 's/SettleAsync(LedgerRow row, CancellationToken ct) => store/SettleAsync(LedgerRow row, CancellationToken ct) => row.Cost == Money.Zero ? Task.CompletedTask : store/' $unit "$(failures Leaked_reservation)"
mutation 'fail open: the store fails, the call goes out' src/Penstock/Gateway/Attempt.cs 's/var hold = await attempts\.Holds\.ReserveAsync(\(.*\));$/Hold hold; try { hold = await attempts.Holds.ReserveAsync(\1); } catch (System.IO.IOException) { hold = new Hold(need.Ceiling, null); }/' $unit "$(failures Fail_open)"
mutation 'fail open: the answer goes out, its settle fails' src/Penstock/Gateway/Attempts.cs 's/LogUnbooked(row\.Attempt, e);/LogUnbooked(row.Attempt, e); return;/' $unit "$(failures Fail_open)"
mutation 'long context: reserved at the short rates' src/Penstock/Gateway/Ceiling.cs 's/price\.Dearest(input, /price.Dearest(0, /' $unit "$(failures Long_context)"
mutation 'long context: settled at the short rates' src/Penstock/Usage/PriceTable.cs 's/if (tokens\.TotalInput > longer\.Above)/if (tokens.TotalInput < 0)/' $unit "$(failures Long_context)"
mutation 'long context: cached input is not counted' src/Penstock/Usage/PriceTable.cs 's/if (tokens\.TotalInput > longer\.Above)/if (tokens.Input > longer.Above)/' $unit "$(failures Long_context)"
mutation 'window: reset late by the time zone' src/Penstock/Budgets/Budget.cs 's/return new DateTimeOffset(day, offset)\.ToUniversalTime();/return new DateTimeOffset(day, TimeSpan.Zero);/' $unit "$(failures Window_reset)"
mutation 'left stream: not billed' src/Penstock/Gateway/Settlement.cs 's/BookAsync(AttemptOutcome\.ClientGone, call, ClientGone)/BookAsync(AttemptOutcome.ClientGone, null, ClientGone)/' $unit "$(failures Disconnected)"
mutation 'zero usage: replaced by an estimate' src/Penstock/Gateway/Attempt.cs 's/if (_usage is { Final: true } final) return/if (_usage is { Final: true } final \&\& final.Counts != default) return/' $unit "$(failures Explicit_zero)"

# The meter, from the provider's wire on, and keys.
meter() { printf -- '-method *MeterFailureTests.%s*' "$1"; }
mutation 'zero usage: none on the wire' src/Penstock.Providers/OpenAi/OpenAiUsage.cs 's/if (prompt is null \&\& completion is null) return null;/if ((prompt ?? 0) == 0 \&\& (completion ?? 0) == 0) return null;/' $ends "$(meter Explicit_zero)"
mutation 'missing usage: refunded' src/Penstock/Gateway/Attempt.cs 's/return (TokenCounts\.Of(attempts\.Tokens\.Count(call, Target\.Model)\.Tokens, output), true);/return (default, true);/' $ends "$(meter Missing_usage)"
mutation 'cached tokens: charged twice' src/Penstock.Providers/OpenAi/OpenAiUsage.cs 's/return new TokenCounts(read - cached, /return new TokenCounts(read, /' $ends "$(meter Cached_tokens)"
mutation 'cache write: an hour at the price of 5 minutes' src/Penstock.Providers/Anthropic/AnthropicUsage.cs 's/ephemeral_1h_input_tokens/ephemeral_never/' $ends "$(meter Cache_write)"
mutation 'sigterm: booked a little later, from memory' src/Penstock/Gateway/Attempts.cs 's/await Holds\.SettleAsync(row, timeout\.Token);/_ = Task.Run(async () => { await Task.Delay(5000); await Holds.SettleAsync(row, default); });/' $ends "$(meter Spend_lost)"
mutation 'keys: an error repeats what was sent' src/Penstock/Keys/KeyRing.cs 's/throw Unknown("No API key was sent\./throw Unknown($"No API key was sent but {authorization}./' $ends '-class *SecretTests'
mutation 'sweeper: expires nothing' src/Penstock/Budgets/HoldSweeper.cs 's/var settled = await store\.ExpireAsync(.*);/var settled = 0;/' $ends '-class *CrashTests'
mutation 'kill: booked a little later, from memory' src/Penstock/Gateway/Attempts.cs 's/await Holds\.SettleAsync(row, timeout\.Token);/_ = Task.Run(async () => { await Task.Delay(200); await Holds.SettleAsync(row, default); });/' $ends '-class *CrashTests'

# Routing: circuits, fallbacks, choices.
health='-class *TargetHealthTests'
mutation 'routing: a circuit opens one failure late' src/Penstock/Gateway/Routing/TargetHealth.cs 's/_failures >= options()\.FailuresToOpen/_failures > options().FailuresToOpen/' $unit "$health"
mutation 'routing: half of the calls may fail for ever' src/Penstock/Gateway/Routing/TargetHealth.cs 's/&& _verdicts\.Tell &&/\&\& !_verdicts.Tell \&\&/' $unit "$health"
mutation 'routing: old failures count' src/Penstock/Gateway/Routing/Verdicts.cs 's/ || at - oldest\.At > Longest//' $unit "$health"
mutation 'routing: an open circuit lets all probe' src/Penstock/Gateway/Routing/TargetHealth.cs 's/if (_probe is not null && !ownKey)/if (_probe is null \&\& ownKey)/' $unit "$health"
mutation 'routing: retries without a budget' src/Penstock/Gateway/Routing/TargetHealth.cs 's/_budget--;//' $unit "$health"
mutation 'routing: auto ends with its small tier' src/Penstock/Gateway/Planner.cs 's/choice is not null && choice\.Tier != Selection\.Standard/choice is not null \&\& choice.Tier == Selection.Standard/' $unit '-class *Selecting.SelectionTests'
mutation 'routing: a stand-in is not named' src/Penstock/Gateway/Routing/Plan.cs 's/{ Instead = tier }/{ Instead = null }/' $unit '-class *Selecting.SelectionTests'

# Keys of the callers' own.
own='-class *OwnKeyFallbackTests'
mutation 'own key: a fallback that the platform pays' src/Penstock/Gateway/Routing/Walk.cs 's/!before\.Out && !before\.Target\.MayGiveWayTo(/!before.Out \&\& before.Out \&\& !before.Target.MayGiveWayTo(/' $unit "$own"
mutation 'own key: a second choice that the platform pays' src/Penstock/Gateway/Routing/Router.cs 's/targets\.Where(behind\.MayGiveWayTo)/targets.Where(_ => behind is not null)/' $unit "$own"
mutation 'own key: shown to the next tier'"'"'s provider' src/Penstock/Gateway/Routing/Router.cs 's/var first = behind is null ? targets\[0\]\.Provider : .*;/var first = targets[0].Provider;/' $unit "$own"
mutation 'own key: opens under another name' src/Penstock/Keys/SealedProviderKey.cs 's/\[name\.Tenant\.Value, name\.Key?\.Value ?? "", name\.Provider\]/[name.Provider]/' $unit '-class *ProviderKeysTests'
mutation 'own key: the platform pays where none opens' src/Penstock/Keys/MasterKeys.cs 's/ ?? throw Unopened(key);/;/' $unit '-class *StoredKeyTests'

# Tokens.
tokens='-class *TokensTests'
mutation 'jwt: any algorithm that is known' src/Penstock/Keys/Jwt/Tokens.cs 's/ || !issuer\.Rules\.Algorithms\.Contains(algorithm\.Name))/)/' $unit "$tokens"
mutation 'jwt: a signature is not looked at' src/Penstock/Keys/Jwt/Tokens.cs 's/if (!key\.Verify(.*)) continue;/if (token.Signature.IsEmpty) continue;/' $unit "$tokens"
mutation 'jwt: no audience is any audience' src/Penstock/Keys/Jwt/TokenClaims.cs 's/issuer\.Audiences\.Count > 0 || audience is not null/issuer.Audiences.Count > 0 \&\& audience is not null/' $unit "$tokens"
mutation 'jwt: known tokens outlive their time' src/Penstock/Keys/Jwt/Tokens.cs 's/time\.GetUtcNow() < known\.Until && //' $unit "$tokens"
mutation 'jwt: times without an end' src/Penstock/Keys/Jwt/TokenClaims.cs 's/LastSecond = 253_402_214_399/LastSecond = 253_402_300_799/' $unit "$tokens"
mutation 'jwt: scopes of admins by name' src/Penstock/Keys/Jwt/TokenClaims.cs 's/scopes |= own & ~Issuer\.NeverImplied/scopes |= own/' $unit "$tokens"

# Guard rules.
guards='-class *GuardTests'
mutation 'guards: names of a client'"'"'s own are skipped' src/Penstock/Gateway/Guarding/TextWalk.cs 's/or "input" or "variables" or "fields" when/or "input" when/' $unit "$guards"
mutation 'guards: the name of a speaker is skipped' src/Penstock/Gateway/Guarding/TextWalk.cs 's/IsSpeaker(parent))$/parent.ValueKind == JsonValueKind.Array)/' $unit "$guards"
mutation 'guards: a match at the end of a piece gets out' src/Penstock/Guards/GuardScan.cs 's/ || (!window\.Final && length == window\.Symbols\.Length) ? / ? /' $unit '-class *GuardStreamTests'
mutation 'guards: escapes hide a match' src/Penstock/Guards/ArgumentsScan.cs 's/if (Unescape(raw) is { } meant)/if (Unescape(raw) is { } meant \&\& meant == 0)/' $unit "$guards"

wanted=()
for argument in "$@"; do
  case $argument in
    -h | --help) usage && exit 0 ;;
    --list) printf '%s\n' "${names[@]}" && exit 0 ;;
    -*) usage >&2 && exit 2 ;;
    *) wanted+=("$argument") ;;
  esac
done

is_wanted() {
  local name
  ((${#wanted[@]} == 0)) && return 0
  for name in "${wanted[@]}"; do [[ $1 == *"$name"* ]] && return 0; done
  return 1
}

copy=$(mktemp -d)
log=$copy.log
trap 'rm -rf "$copy" "$copy.whole" "$copy.original" "$log"' EXIT
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 NO_COLOR=1 PENSTOCK_CRASH_KILLS=3
[[ -f $root/build/native.sh ]] && bash "$root/build/native.sh" >/dev/null
(cd "$root" && git ls-files -z --cached --others --exclude-standard | tar --null -T - -cf - 2>/dev/null) | tar -xf - -C "$copy"
[[ -d $root/artifacts/native ]] && mkdir -p "$copy/artifacts" && cp -r "$root/artifacts/native" "$copy/artifacts/"
cd "$copy"

# The compiler's server is what makes a mutation cheap; it ends by itself.
build() { dotnet build "$@" -v quiet -nologo -clp:NoSummary -p:RunAnalyzers=false -p:TreatWarningsAsErrors=false -p:GenerateDocumentationFile=false -p:UseSharedCompilation=true >"$log" 2>&1; }

# The project that a file is of.
project_of() { local folder=$1; while [[ -z $(compgen -G "$folder/*.csproj") ]]; do folder=$(dirname "$folder"); done; echo "$folder"; }

# Where a suite loads a project's library from: its own folder, or those of the processes it starts.
homes_of() { if [[ $1 == "$ends" ]]; then echo src/hosts/*/bin/Debug/net10.0; else echo "tests/$1/bin/Debug/net10.0"; fi; }

# mutate <project> <suite>: builds the one project, and puts its library where the suite finds it.
mutate() {
  local name home
  name=$(basename "$1").dll
  build "$1" --no-restore --no-dependencies || return 1
  for home in $(homes_of "$2"); do cp "$1/bin/Debug/net10.0/$name" "$home/"; done
}

# A glob of a filter is xunit's, not the shell's.
run() { set -f; timeout 300 dotnet "tests/$1/bin/Debug/net10.0/$1.dll" $2 -noColor -noLogo >"$log" 2>&1; local code=$?; set +f; return $code; }

red_tests() { sed -nE 's/^ +([A-Za-z0-9_.]+)(\(.*)? \[FAIL\]$/\1/p' "$log" | sed -E 's/.*\.([^.]+\.[^.]+)$/\1/' | sort -u | paste -sd, | sed 's/,/, /g'; }

selected=()
for i in "${!names[@]}"; do is_wanted "${names[$i]}" && selected+=("$i"); done
((${#selected[@]} > 0)) || { echo "No mutation is named like '${wanted[*]}'; --list names them." >&2; exit 2; }

# The control: without a mutation they are green.
declare -A checked=()
for i in "${selected[@]}"; do
  key="${suites[$i]} ${filters[$i]}"
  [[ -n ${checked[$key]:-} ]] && continue
  checked[$key]=yes
  build "tests/${suites[$i]}" || { cat "$log"; echo "The copy does not build."; exit 1; }
  run "${suites[$i]}" "${filters[$i]}" || { tail -n 40 "$log"; echo "Red without a mutation: $key"; exit 1; }
  grep -qE 'Total: [1-9]' "$log" || { echo "No test is named by: $key"; exit 1; }
done
mkdir "$copy.whole"
for i in "${selected[@]}"; do
  for home in $(homes_of "${suites[$i]}"); do cp "$home"/Penstock*.dll "$copy.whole/"; done
done
echo "green without a mutation: ${#checked[@]} sets of tests"

survived=0
for i in "${selected[@]}"; do
  file=${files[$i]} project=$(project_of "$(dirname "${files[$i]}")")
  cp "$file" "$copy.original"
  sed -i "${edits[$i]}" "$file"
  changed=$(diff "$copy.original" "$file" | grep -c '^>' || true)
  verdict=
  if ((changed < 1 || changed > 2)); then verdict="STALE: its line was found $changed times"
  elif ! mutate "$project" "${suites[$i]}"; then verdict="DOES NOT BUILD: $(grep -m 1 -oE 'error [A-Z0-9]+: .*' "$log" || true)"
  elif run "${suites[$i]}" "${filters[$i]}"; then verdict='GREEN: no test saw it'
  fi
  if [[ -n $verdict ]]; then survived=$((survived + 1)); else verdict="red: $(red_tests)"; fi
  printf '%-52s %s\n' "${names[$i]}" "$verdict"
  cp "$copy.original" "$file"
  for home in $(homes_of "${suites[$i]}"); do cp "$copy.whole/$(basename "$project").dll" "$home/"; done
done
echo "$((${#selected[@]} - survived)) of ${#selected[@]} mutations turned a test red"
((survived == 0))
