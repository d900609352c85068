using Penstock.Kernel;

namespace Penstock.Gateway.Routing;

/// <summary>One step of a walk: a target that may be called now.</summary>
/// <param name="Call">Entered already; tells the target what became of it.</param>
/// <param name="Decision">Why this one, where it is not plainly the first.</param>
internal sealed record Step(Target Target, TargetCall Call, string? Decision);

/// <summary>A target failed before anything of its answer went on: another may give one.</summary>
internal sealed class TargetFailedException(ProviderException fault, Refusal refusal) : Exception(fault.Message, fault)
{
    public ProviderException Fault { get; } = fault;

    /// <summary>What the client is told where nobody else answers.</summary>
    public Refusal Refusal { get; } = refusal;
}

/// <summary>Starts walks.</summary>
internal sealed class Failover(RoutingSection section, Chance chance, TimeProvider time)
{
    /// <param name="objects">What a target behind the first cannot take of the call; null where it can take all.</param>
    public Walk Start(Plan plan, Func<Target, Refusal?> objects) => new(plan, objects, section.Current.Routing, chance, time);
}

/// <summary>
/// One request's way over its plan. All targets are tried once, one after the other, without a wait; then, if some may be asked again, the walk waits and begins
/// anew with the first. A target that is called again takes that from its retry budget. Disposing it leaves the target that was entered last.
/// </summary>
internal sealed class Walk : IDisposable
{
    private readonly Plan _plan;
    private readonly Func<Target, Refusal?> _objects;
    private readonly RoutingOptions _options;
    private readonly Chance _chance;
    private readonly TimeProvider _time;
    private readonly Stop[] _stops;
    private readonly long _began;
    private Stop? _here;
    private TargetCall? _call;
    private int _next;
    private int _round;

    public Walk(Plan plan, Func<Target, Refusal?> objects, RoutingOptions options, Chance chance, TimeProvider time)
    {
        (_plan, _objects, _options, _chance, _time, _began) = (plan, objects, options, chance, time, time.GetTimestamp());
        // How the platform's own calls fare says nothing of who brings their own key.
        _stops = [.. plan.Targets.Select(target => new Stop(target)).OrderBy(stop => !stop.Target.OwnKey && stop.Target.Health.Rests)];
        for (var i = 1; i < _stops.Length; i++) _stops[i].Out = _stops.Take(i).Any(before => !before.Out && !before.Target.MayGiveWayTo(_stops[i].Target));
        Alone = _stops.Count(stop => !stop.Out) == 1;
    }

    /// <summary>Whether there is nobody else to answer.</summary>
    public bool Alone { get; }

    /// <summary>The next target that may be called. Throws the most useful refusal where there is none.</summary>
    /// <param name="wait">Lets the given time pass.</param>
    public async Task<Step> NextAsync(Func<Task, Task> wait, CancellationToken ct)
    {
        Leave();
        while (true)
        {
            while (_next < _stops.Length)
            {
                if (Enter(_stops[_next++]) is { } step) return step;
            }

            if (Pause() is not { } pause) throw new RefusedException(MostUseful());
            await wait(Task.Delay(pause, _time, ct));
            (_next, _round) = (0, _round + 1);
        }
    }

    /// <summary>Goes from attempt to attempt until one answers.</summary>
    /// <param name="first">Made ready already.</param>
    /// <param name="ready">Makes an attempt ready at a step.</param>
    /// <param name="call">Throws <see cref="TargetFailedException"/> where another target may answer.</param>
    public async Task RunAsync<T>(T first, Func<Step, Task<T>> ready, Func<T, Task> call, Func<T, Task, Task> wait, CancellationToken ct)
    {
        var attempt = first;
        while (true)
        {
            try
            {
                await call(attempt);
                return;
            }
            catch (TargetFailedException failed)
            {
                Fail(failed);
            }

            var last = attempt;
            attempt = await ready(await NextAsync(pause => wait(last, pause), ct));
        }
    }

    public void Dispose() => Leave();

    private void Leave()
    {
        _call?.Dispose();
        _call = null;
    }

    private Step? Enter(Stop stop)
    {
        if (stop.Out) return null;
        // The plan begins with one that can take the call.
        if (stop.Calls == 0 && stop.Target != _plan.First && _objects(stop.Target) is { } objection)
        {
            (stop.Out, stop.Refusal) = (true, objection);
            return null;
        }

        var (call, closed) = stop.Target.Health.TryEnter(stop.Target.OwnKey);
        if (call is null)
        {
            (stop.Refusal, stop.Wait) = (closed!.Refusal, closed.Passes ? closed.Wait : null);
            return null;
        }

        // Who pays the provider themselves may also ask it again themselves.
        if (stop.Calls > 0 && (stop.Target.OwnKey || !stop.Target.Health.TryRetry()))
        {
            call.Dispose();
            return null;
        }

        stop.Calls++;
        (_here, _call) = (stop, call);
        return new Step(stop.Target, call, Decision(stop));
    }

    private string? Decision(Stop stop)
    {
        if (stop.Calls > 1) return $"retry {stop.Calls - 1}: {stop.Refusal!.Code}{Plan.Standing(stop.Target)}";
        if (stop.Target == _plan.First) return _plan.Decision;
        var why = _stops.First(other => other.Target == _plan.First).Refusal?.Code ?? "provider_rate_limited";
        return Plan.Fallback(_plan.First, stop.Target, why);
    }

    private void Fail(TargetFailedException failed)
    {
        var stop = _here!;
        var alone = Array.TrueForAll(_stops, other => other == stop || other.Refusal is null);
        (stop.Refusal, stop.Wait) = (failed.Refusal, failed.Fault.RetryAfter);
        switch (failed.Fault.Fault)
        {
            // The request is at fault, and would be everywhere. Behind a target that failed by itself it is no answer: that one may take it later.
            case ProviderFault.Rejected when alone:
                throw new RefusedException(failed.Refusal);
            case ProviderFault.Rejected or ProviderFault.ModelUnknown or ProviderFault.Unauthorized or ProviderFault.QuotaSpent:
                stop.Out = true;
                break;
        }
    }

    /// <summary>How long to wait before all is tried again; null where that is of no use.</summary>
    private TimeSpan? Pause()
    {
        if (_round >= _options.Retries || _time.GetElapsedTime(_began) > _options.RetryWithin) return null;
        var again = _stops.Where(CanComeBack).ToArray();
        if (again.Length == 0) return null;
        var asked = again.Min(stop => stop.Wait ?? TimeSpan.Zero);
        if (asked > _options.LongestWait) return null;
        // Those who were told the same time must not all come back at the same time.
        return asked > TimeSpan.Zero
            ? asked + (_options.Backoff * _chance.Next())
            : _options.Backoff * (1 << _round) * (0.5 + (_chance.Next() / 2));
    }

    /// <summary>One that was called and may be again, or one that only asks for a little time. Nobody waits for an open circuit.</summary>
    private static bool CanComeBack(Stop stop) => !stop.Out && (stop.Calls > 0 ? !stop.Target.OwnKey && stop.Target.Health.CanRetry && stop.Refusal!.Code != OpenCode : stop.Wait is not null);

    /// <summary>The one after which trying again helps, soonest; else the first target's own.</summary>
    private Refusal MostUseful()
    {
        var refusals = _plan.Targets.Select(target => _stops.First(stop => stop.Target == target).Refusal).OfType<Refusal>().ToArray();
        var chosen = refusals.FirstOrDefault(refusal => refusal is { Retryable: true, RetryAfter: not null }) ?? refusals.FirstOrDefault(refusal => refusal.Retryable) ?? refusals[0];
        return chosen.RetryAfter is null ? chosen : chosen with { RetryAfter = refusals.Where(refusal => refusal is { Retryable: true, RetryAfter: not null }).Min(refusal => refusal.RetryAfter) ?? chosen.RetryAfter };
    }

    private const string OpenCode = "target_unavailable";

    private sealed class Stop(Target target)
    {
        public Target Target { get; } = target;

        /// <summary>How often it was called.</summary>
        public int Calls { get; set; }

        /// <summary>It is of no use to this request any more.</summary>
        public bool Out { get; set; }

        /// <summary>Why it did not answer.</summary>
        public Refusal? Refusal { get; set; }

        /// <summary>How long it asked to be left alone; null where it did not say, or where waiting does not help.</summary>
        public TimeSpan? Wait { get; set; }
    }
}
