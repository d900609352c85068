using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Limits;

/// <summary>Knows the limits over each caller, and lets its requests through them.</summary>
internal sealed partial class CallLimits(ILimitStore store, LimitSection section, TimeProvider time, ILogger<CallLimits> log)
{
    private const int MostPlans = 10_000;

    /// <summary>Giving back outlives the caller's token; it must not hang either.</summary>
    private static readonly TimeSpan ReturnTime = TimeSpan.FromSeconds(5);

    private readonly ConcurrentDictionary<(KeyId Key, string Route), LimitPlan> _plans = new();

    /// <summary>Takes nothing yet.</summary>
    public Passage Open(Caller caller, string route, RequestId request) => new(caller, PlanOf(caller.Key, route), request, this);

    public ValueTask<LimitDecision> TakeAsync(LimitRequest request, CancellationToken ct) => store.TakeAsync(request, ct);

    /// <summary>A store that takes nothing back fails no call: its buckets refill and its leases expire by themselves.</summary>
    public async ValueTask ReturnAsync(LimitRequest request)
    {
        using var timeout = new CancellationTokenSource(ReturnTime, time);
        try
        {
            await store.ReturnAsync(request, timeout.Token);
        }
        catch (Exception e)
        {
            LogNotReturned(request.Tenant, request.Lease, e);
        }
    }

    /// <summary>A plan holds for the key as it was read and the configuration in force; either is another object once it changed.</summary>
    private LimitPlan PlanOf(KeyRecord key, string route)
    {
        var options = section.Current;
        if (_plans.TryGetValue((key.Id, route), out var plan) && ReferenceEquals(plan.Key, key) && ReferenceEquals(plan.Options, options)) return plan;
        if (plan is null && _plans.Count >= MostPlans) _plans.Clear();
        return _plans[(key.Id, route)] = new LimitPlan(key, options, route);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "What request {RequestId} of tenant {Tenant} took of its limits could not be given back; it refills or expires by itself")]
    private partial void LogNotReturned(TenantId tenant, string requestId, Exception e);
}
