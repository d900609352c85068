using System.Globalization;
using Penstock.Kernel;

namespace Penstock.Gateway.Routing;

internal enum TargetState
{
    /// <summary>Calls pass.</summary>
    Closed,

    /// <summary>One call passes, and what becomes of it decides for all.</summary>
    HalfOpen,

    /// <summary>It failed too often, in a row or of its newest calls; no call passes.</summary>
    Open,

    /// <summary>It asked for time, its quota is spent or our key was refused; no call passes.</summary>
    Cooling,
}

/// <summary>Why a target is not called now.</summary>
/// <param name="Wait">Until it may be.</param>
/// <param name="Passes">Waiting helps: the target is well and asked for time.</param>
internal sealed record TargetClosed(Refusal Refusal, TimeSpan Wait, bool Passes);

/// <summary>What <c>/v1/admin/targets</c> and the metrics show of a target.</summary>
internal sealed record TargetSight(
    TargetName Name, TargetState State, DateTimeOffset Since, string? Reason, int Failures, DateTimeOffset? Until, TimeSpan? FirstByte, double RetryBudget, int InFlight, string? LastFault);

/// <summary>
/// What is known of one target in this process: its circuit, its cool-down, how fast it answers and how often it may be called again. Who wants to call it
/// enters, and tells what became of the call by <see cref="TargetCall"/>.
/// </summary>
/// <remarks>
/// A circuit of its own and not Polly's: a verdict comes from a stream half-way, a client that leaves is none, a provider's own waiting time counts, and the
/// state must be shown (docs/adr/0006).
/// </remarks>
internal sealed class TargetHealth(TargetName name, bool known, Func<RoutingOptions> options, TimeProvider time)
{
    /// <summary>Retries before anything was answered, and the most that are saved up.</summary>
    private const double FirstBudget = 3;
    private const double MostBudget = 10;

    /// <summary>Weight of the newest measurement in the mean.</summary>
    private const double Newest = 0.2;

    /// <summary>A target that answers 429 is well, and one without another beside it is better asked again than not at all: only many in a row open its circuit.</summary>
    private const int LimitedPerFailure = 4;

    private const int MostDoublings = 10;
    private static readonly TimeSpan LongestRest = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan WhileProbed = TimeSpan.FromSeconds(1);

    private readonly Lock _lock = new();
    private readonly Verdicts _verdicts = new();
    private readonly long _born = time.GetTimestamp();
    private DateTimeOffset _since = time.GetUtcNow();
    private TargetCall? _probe;
    private Cause? _opened;
    private Cause? _cooled;
    private string? _lastFault;
    private TimeSpan _openUntil;
    private TimeSpan _coolUntil;
    private TimeSpan _restUntil;
    private TimeSpan? _firstByte;
    private double _budget = FirstBudget;
    private int _failures;
    private int _probesFailed;
    private int _limited;
    private int _inFlight;
    private bool _share;

    public TargetName Name { get; } = name;

    /// <summary>Named by the configuration or the price table, and not only by a client.</summary>
    public bool Known { get; } = known;

    /// <summary>Nothing is known against calling it first.</summary>
    public bool Ready
    {
        get
        {
            lock (_lock) return Now >= _coolUntil && Now >= _restUntil && _opened is null;
        }
    }

    /// <summary>It answered 429 a moment ago, and said not for how long: others are asked first.</summary>
    public bool Rests
    {
        get
        {
            lock (_lock) return Now < _restUntil;
        }
    }

    /// <summary>Mean time to the first byte, the newest counting most; null before there is one.</summary>
    public TimeSpan? FirstByte
    {
        get
        {
            lock (_lock) return _firstByte;
        }
    }

    public bool CanRetry
    {
        get
        {
            lock (_lock) return _budget >= 1;
        }
    }

    private TimeSpan Now => time.GetElapsedTime(_born);

    /// <summary>Takes one retry from the budget; false where none is left.</summary>
    public bool TryRetry()
    {
        lock (_lock)
        {
            if (_budget < 1) return false;
            _budget--;
            return true;
        }
    }

    /// <summary>One call more, or why it may not be made. Dispose of the call when it is over.</summary>
    /// <param name="ownKey">The caller's own key pays: a cool-down of ours is not its, it is never the probe, and nothing it meets is recorded.</param>
    public (TargetCall? Call, TargetClosed? Closed) TryEnter(bool ownKey = false)
    {
        lock (_lock)
        {
            var now = Now;
            if (_cooled is { } cooled && now < _coolUntil && !ownKey) return (null, Cooling(cooled, _coolUntil - now));
            if (_opened is { } opened)
            {
                if (now < _openUntil) return (null, Opened(opened, _openUntil - now));
                if (_probe is not null && !ownKey) return (null, Opened(opened, WhileProbed));
            }

            var call = new TargetCall(this, ownKey, time.GetTimestamp());
            if (_opened is not null && !ownKey) Probe(call);
            _inFlight++;
            return (call, null);
        }
    }

    public TargetSight Look()
    {
        lock (_lock)
        {
            var now = Now;
            var cooling = _cooled is not null && now < _coolUntil;
            var state = cooling ? TargetState.Cooling : _opened is null ? TargetState.Closed : now < _openUntil ? TargetState.Open : TargetState.HalfOpen;
            TimeSpan? left = cooling ? _coolUntil - now : state == TargetState.Open ? _openUntil - now : null;
            return new TargetSight(Name, state, _since, cooling ? _cooled!.Code : _opened?.Code, Math.Max(_share ? _verdicts.Failed : _failures, _limited), left is { } until ? time.GetUtcNow() + until : null, _firstByte, _budget, _inFlight, _lastFault);
        }
    }

    internal void Heard(TimeSpan after)
    {
        lock (_lock) _firstByte = _firstByte is { } mean ? mean + ((after - mean) * Newest) : after;
    }

    /// <summary>Content came: a probe has shown what it was to show. The row of failures ends only with a whole answer, as an answer may still break off.</summary>
    internal void Answering(TargetCall call)
    {
        lock (_lock)
        {
            if (_probe == call) Close();
        }
    }

    internal void Succeeded(TargetCall call)
    {
        lock (_lock)
        {
            if (_probe == call) Close();
            if (_opened is null)
            {
                (_failures, _probesFailed) = (0, 0);
                _verdicts.Add(Now, failed: false);
            }

            _limited = 0;
            _budget = Math.Min(MostBudget, _budget + options().RetryShare);
        }
    }

    internal void Failed(TargetCall call, ProviderException fault, Refusal refusal)
    {
        lock (_lock)
        {
            _lastFault = refusal.Code;
            if (!options().Breaker) return;
            var cause = new Cause(refusal.Kind, refusal.Code, refusal.Retryable);
            switch (fault.Fault)
            {
                // It answered, and what was wrong is the request's; a client must not be able to close a target to others.
                case ProviderFault.Rejected or ProviderFault.ModelUnknown:
                case ProviderFault.Unauthorized when fault.Status != 401:
                    if (_probe == call) Close();
                    break;
                case ProviderFault.Unauthorized:
                    Cool(cause, options().KeyCoolDown);
                    break;
                case ProviderFault.QuotaSpent:
                    Cool(cause, options().QuotaCoolDown);
                    break;
                case ProviderFault.Limited when fault.RetryAfter is { } wait:
                    Cool(cause, Least(wait, options().LongestCoolDown));
                    break;
                case ProviderFault.Limited:
                    _restUntil = Now + Doubled(options().Backoff * 2, _limited, LongestRest);
                    if (++_limited >= options().FailuresToOpen * LimitedPerFailure || _probe == call) Open(call, cause);
                    break;
                default:
                    if (fault.RetryAfter is { } asked) Cool(cause, Least(asked, options().LongestCoolDown));
                    Count(call, cause);
                    break;
            }
        }
    }

    /// <summary>A call that ended without a verdict proves nothing: the next may probe.</summary>
    internal void Left(TargetCall call)
    {
        lock (_lock)
        {
            _inFlight--;
            if (_probe == call) _probe = null;
        }
    }

    private void Probe(TargetCall call)
    {
        _probe = call;
        _since = time.GetUtcNow();
    }

    private void Count(TargetCall call, Cause cause)
    {
        if (_opened is null) _verdicts.Add(Now, failed: true);
        _failures++;
        var inRow = _failures >= options().FailuresToOpen;
        if (!inRow && _probe != call && !FailsTooOften()) return;
        // Until it closes again, it failed as it did when it opened.
        _share = _opened is null ? !inRow : _share;
        Open(call, cause);
    }

    /// <summary>A target that fails every other call hardly ever fails many in a row.</summary>
    private bool FailsTooOften() => _opened is null && options().ShareToOpen < 1 && _verdicts.Tell && _verdicts.Failed >= options().ShareToOpen * Verdicts.Most;

    private void Open(TargetCall call, Cause cause)
    {
        // Calls that were under way when the circuit opened say nothing new.
        if (_opened is not null && _probe != call) return;
        if (_probe == call) (_probe, _probesFailed) = (null, _probesFailed + 1);
        _opened = cause;
        _since = time.GetUtcNow();
        _openUntil = Now + Doubled(options().Open, _probesFailed, options().LongestOpen);
    }

    private void Close()
    {
        (_probe, _opened, _failures, _probesFailed, _limited, _share) = (null, null, 0, 0, 0, false);
        _verdicts.Clear();
        _since = time.GetUtcNow();
    }

    private void Cool(Cause cause, TimeSpan wait)
    {
        var until = Now + wait;
        if (until <= _coolUntil) return;
        if (Now >= _coolUntil) _since = time.GetUtcNow();
        (_cooled, _coolUntil) = (cause, until);
    }

    private TargetClosed Cooling(Cause cause, TimeSpan wait) => new(
        new Refusal(cause.Kind, cause.Code, $"Target '{Name}' is given time after {cause.Code}; it is called again in {Text(wait)} s.") { RetryAfter = wait, Retryable = cause.Retryable },
        wait,
        cause.Kind is RefusalKind.Limited or RefusalKind.Unavailable);

    private TargetClosed Opened(Cause cause, TimeSpan wait) => new(
        cause.Kind == RefusalKind.Limited
            ? new Refusal(RefusalKind.Limited, cause.Code, $"Target '{Name}' refused {_limited} calls in a row; it is called again in {Text(wait)} s.") { RetryAfter = wait }
            : new Refusal(RefusalKind.Unavailable, "target_unavailable", $"Target '{Name}' failed {Often()}, last with {cause.Code}; it is called again in {Text(wait)} s.") { RetryAfter = wait },
        wait,
        Passes: false);

    private string Often() => _share ? $"{_verdicts.Failed} of its last {Verdicts.Most} calls" : $"{_failures} times in a row";

    private static string Text(TimeSpan wait) => wait.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture);

    private static TimeSpan Doubled(TimeSpan first, int times, TimeSpan most) => Least(first * (1 << Math.Min(times, MostDoublings)), most);

    private static TimeSpan Least(TimeSpan one, TimeSpan other) => one < other ? one : other;

    private sealed record Cause(RefusalKind Kind, string Code, bool Retryable);
}

/// <summary>One call that entered a target. Disposed of without a verdict it counts for nothing.</summary>
internal sealed class TargetCall(TargetHealth health, bool ownKey, long began) : IDisposable
{
    private bool _heard;
    private bool _over;

    /// <summary>Something came, for the first time.</summary>
    public void Heard(TimeProvider time)
    {
        if (_heard || ownKey) return;
        _heard = true;
        health.Heard(time.GetElapsedTime(began));
    }

    /// <summary>Content came.</summary>
    public void Answering()
    {
        if (!ownKey) health.Answering(this);
    }

    /// <summary>The answer is whole.</summary>
    public void Succeeded()
    {
        if (!ownKey) health.Succeeded(this);
    }

    public void Failed(ProviderException fault, Refusal refusal)
    {
        if (!ownKey) health.Failed(this, fault, refusal);
    }

    public void Dispose()
    {
        if (_over) return;
        _over = true;
        health.Left(this);
    }
}
