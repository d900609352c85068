using Microsoft.Extensions.Logging.Abstractions;
using Penstock.Contracts;
using Penstock.Kernel;
using Penstock.Tests.Configuration;
using Penstock.Tests.Gateway;
using Penstock.Tools;
using Penstock.Tools.Mcp;
using Xunit;

namespace Penstock.Tests.Tools;

public sealed class ToolPlacesTests
{
    private static readonly TenantId Acme = new("acme");
    private static readonly TenantId Other = new("other");

    private readonly ManualTime _time = new();
    private readonly ToolSection _section;
    private readonly ToolPlaces _places;

    public ToolPlacesTests()
    {
        _section = new ToolSection(new McpServers(_time, NullLoggerFactory.Instance), []);
        _places = new ToolPlaces(_section, _time);
    }

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact(Timeout = 120_000)]
    public async Task A_hundred_run_at_once_and_no_more()
    {
        var (running, peak, done) = (0, 0, 0);
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var calls = Enumerable.Range(0, 500).Select(_ => Task.Run(async () =>
        {
            using var place = await _places.TakeAsync(Acme, Tool("a", 1_000), patient: false, Ct);
            lock (gate) peak = Math.Max(peak, ++running);
            await gate.Task.WaitAsync(Ct);
            lock (gate)
            {
                running--;
                done++;
            }
        })).ToArray();

        await GatewayHost.UntilAsync(() => _places is { Taken: 100, Waiting: 400 });
        Assert.Equal(100, peak);
        gate.SetResult();
        await Task.WhenAll(calls);

        Assert.Equal((100, 500, 0, 0), (peak, done, _places.Taken, _places.Waiting));
    }

    [Fact(Timeout = 120_000)]
    public async Task The_next_one_waits_for_a_place_and_those_who_wait_come_in_order()
    {
        Read("""{"maxInFlight": 1}""");
        var first = await TakeAsync();
        var second = _places.TakeAsync(Acme, Tool("a"), patient: false, Ct).AsTask();
        var third = _places.TakeAsync(Acme, Tool("a"), patient: false, Ct).AsTask();
        Assert.False(second.IsCompleted);

        first.Dispose();
        var place = await second;
        Assert.False(third.IsCompleted);
        place.Dispose();
        place.Dispose();
        (await third).Dispose();
        Assert.Equal((0, 0), (_places.Taken, _places.Waiting));
    }

    [Fact(Timeout = 120_000)]
    public async Task A_tenant_and_a_tool_that_are_full_hold_up_nobody_else()
    {
        Read("""{"maxInFlight": 10, "maxInFlightPerTenant": 2}""");
        using var one = await TakeAsync();
        using var two = await TakeAsync();
        var three = _places.TakeAsync(Acme, Tool("a"), patient: false, Ct).AsTask();
        Assert.False(three.IsCompleted);

        using var others = await _places.TakeAsync(Other, Tool("busy", 1), patient: false, Ct);
        var full = _places.TakeAsync(Other, Tool("busy", 1), patient: false, Ct).AsTask();
        Assert.False(full.IsCompleted);
        using var free = await _places.TakeAsync(Other, Tool("a"), patient: false, Ct);

        one.Dispose();
        (await three).Dispose();
        others.Dispose();
        (await full).Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task Where_too_many_wait_the_next_is_refused()
    {
        Read("""{"maxInFlight": 1, "maxWaiting": 1}""");
        using var one = await TakeAsync();
        var waiting = _places.TakeAsync(Acme, Tool("a"), patient: false, Ct).AsTask();

        var refusal = (await Assert.ThrowsAsync<RefusedException>(async () => await TakeAsync())).Refusal;

        Assert.Equal((RefusalKind.Limited, "too_many_tool_calls", TimeSpan.FromSeconds(1)), (refusal.Kind, refusal.Code, refusal.RetryAfter));
        one.Dispose();
        (await waiting).Dispose();
    }

    [Fact(Timeout = 120_000)]
    public async Task Who_waits_too_long_is_refused_and_takes_no_place()
    {
        Read("""{"maxInFlight": 1, "maxWaitSeconds": 5}""");
        var one = await TakeAsync();
        var waiting = _places.TakeAsync(Acme, Tool("a"), patient: false, Ct).AsTask();

        _time.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal("too_many_tool_calls", (await Assert.ThrowsAsync<RefusedException>(() => waiting)).Refusal.Code);
        one.Dispose();
        Assert.Equal((0, 0), (_places.Taken, _places.Waiting));
    }

    [Fact(Timeout = 120_000)]
    public async Task Who_is_patient_waits_however_many_do_and_however_long_and_keeps_nobody_else_from_waiting()
    {
        Read("""{"maxInFlight": 1, "maxWaiting": 1, "maxWaitSeconds": 5}""");
        var one = await TakeAsync();
        var patient = Enumerable.Range(0, 3).Select(_ => _places.TakeAsync(Acme, Tool("a"), patient: true, Ct).AsTask()).ToArray();

        _time.Advance(TimeSpan.FromHours(1));
        Assert.DoesNotContain(patient, waiting => waiting.IsCompleted);
        var hasty = TakeAsync().AsTask();
        Assert.False(hasty.IsCompleted);
        await Assert.ThrowsAsync<RefusedException>(async () => await TakeAsync());

        one.Dispose();
        foreach (var waiting in patient) (await waiting).Dispose();
        (await hasty).Dispose();
        Assert.Equal((0, 0), (_places.Taken, _places.Waiting));
    }

    [Fact(Timeout = 120_000)]
    public async Task Who_leaves_while_waiting_takes_no_place()
    {
        Read("""{"maxInFlight": 1}""");
        var one = await TakeAsync();
        using var leaving = new CancellationTokenSource();
        var waiting = _places.TakeAsync(Acme, Tool("a"), patient: false, leaving.Token).AsTask();

        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting);
        one.Dispose();

        Assert.Equal((0, 0), (_places.Taken, _places.Waiting));
    }

    [Fact(Timeout = 120_000)]
    public async Task More_places_serve_those_who_wait_before_newcomers()
    {
        Read("""{"maxInFlight": 1}""");
        using var one = await TakeAsync();
        var waiting = _places.TakeAsync(Acme, Tool("a"), patient: false, Ct).AsTask();
        Read("""{"maxInFlight": 2}""");

        var newcomer = _places.TakeAsync(Acme, Tool("a"), patient: false, Ct).AsTask();

        using var second = await waiting;
        Assert.False(newcomer.IsCompleted);
        second.Dispose();
        (await newcomer).Dispose();
    }

    private ValueTask<ToolPlaces.Place> TakeAsync() => _places.TakeAsync(Acme, Tool("a"), patient: false, Ct);

    private void Read(string tools) => Assert.Empty(_section.Read($$"""{"tools": {{tools}}}"""));

    private static ToolSpec Tool(string name, int concurrency = 100) => new() { Name = name, Description = name, Input = JsonSchema.Parse("{}"), Concurrency = concurrency };
}
