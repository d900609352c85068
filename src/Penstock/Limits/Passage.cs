using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Limits;

/// <summary>
/// One request on its way through the limits over it: what it took of them, and what it gives back. A request that a limit or a budget refuses gives everything
/// back; any other counts, whatever becomes of it. Once disposed of it holds no slot, however it ended.
/// </summary>
internal sealed class Passage(Caller caller, LimitPlan plan, RequestId request, CallLimits limits) : IAsyncDisposable
{
    private BucketTake[] _tokens = plan.Tokens;
    private IReadOnlyList<double>? _entryLeft;
    private IReadOnlyList<double>? _tokensLeft;
    private bool _counted;
    private bool _holds;
    private bool _returned;
    private bool _called;
    private long _used;
    private long? _metered;

    public Caller Caller => caller;

    /// <summary>Whether it matters how many tokens the call needs.</summary>
    public bool CountsTokens => plan.Tokens.Length > 0;

    /// <summary>The tightest limit on requests, this one counted; null before <see cref="EnterAsync"/>.</summary>
    public Standing? Requests => _entryLeft is null ? null : Standing.Tightest(plan.Requests, i => _entryLeft[i] + (_returned ? 1 : 0));

    /// <summary>The tightest limit on tokens; null where there is none.</summary>
    public Standing? Tokens => _entryLeft is null ? null : Standing.Tightest(_tokens, i => (_tokensLeft?[i] ?? _entryLeft[plan.Requests.Length + i]) + (_metered is { } metered ? _tokens[i].Amount - metered : 0));

    /// <summary>Counts one request, or throws 429 and counts none.</summary>
    public async ValueTask EnterAsync(CancellationToken ct)
    {
        var decision = await limits.TakeAsync(Ask(plan.Entry, []), ct);
        _entryLeft = decision.Left;
        if (decision.Refusing is { } refusing) throw new RefusedException(plan.TooOften(refusing, decision.Wait));
        _counted = true;
    }

    /// <summary>
    /// Takes the tokens the call may need, and its slots, until <see cref="SettleAsync"/>; or throws 429, and the request counts no more. A call that may need more
    /// than a minute's tokens takes the whole minute's. Taken once, however many providers are called for the request.
    /// </summary>
    public async ValueTask TakeAsync(long tokens, CancellationToken ct)
    {
        if (_holds || (plan.Tokens.Length == 0 && plan.Slots.Length == 0)) return;
        BucketTake[] wanted = [.. plan.Tokens.Select(bucket => bucket with { Amount = Math.Min(tokens, bucket.Size) })];
        var decision = await limits.TakeAsync(Ask(wanted, plan.Slots), ct);
        _tokensLeft = decision.Left;
        if (decision.Refusing is { } refusing)
        {
            await ReturnAsync();
            throw new RefusedException(refusing < wanted.Length ? plan.TooManyTokens(refusing, tokens, decision.Wait) : plan.TooManyCalls(refusing - wanted.Length));
        }

        (_tokens, _holds) = (wanted, true);
    }

    /// <summary>A provider was called, and this is what it used: from here on the request counts.</summary>
    public void Use(long tokens)
    {
        _called = true;
        _used += tokens;
    }

    /// <summary>Frees the slots and corrects the tokens to all that was used. Only the first time does anything.</summary>
    public async ValueTask SettleAsync()
    {
        if (!_holds) return;
        var metered = _used;
        (_holds, _metered, _used) = (false, metered, 0);
        await limits.ReturnAsync(Ask([.. _tokens.Select(bucket => bucket with { Amount = bucket.Amount - metered })], plan.Slots));
    }

    /// <summary>Gives everything back, as though the request had not come; nothing where a provider was called for it.</summary>
    public async ValueTask ReturnAsync()
    {
        if (_called) return;
        await SettleAsync();
        if (!_counted) return;
        (_counted, _returned) = (false, true);
        await limits.ReturnAsync(Ask(plan.Requests, []));
    }

    /// <summary>A call that never came to its provider used nothing.</summary>
    public ValueTask DisposeAsync() => SettleAsync();

    private LimitRequest Ask(BucketTake[] buckets, SlotTake[] slots) => new()
    {
        Tenant = caller.Tenant,
        Buckets = buckets,
        Slots = slots,
        Lease = request.Value,
        LeaseFor = plan.Options.LeaseFor,
    };
}
