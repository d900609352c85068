using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.DependencyInjection;
using Penstock.Agents;
using Penstock.Kernel;
using Penstock.Tests.Gateway;
using Xunit;

namespace Penstock.Tests.Agents;

/// <summary>Owns a run in a worker's place, and does with it what a test says.</summary>
internal sealed class ScriptedOwner
{
    private readonly IRunStore _store;
    private readonly TimeProvider _time;
    private readonly RunSignals _signals;
    private RunRecord _run;

    private ScriptedOwner(IRunStore store, TimeProvider time, RunSignals signals, RunRecord run) => (_store, _time, _signals, _run) = (store, time, signals, run);

    public RunId Run => _run.Id;

    public long Next => _run.NextSeq;

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public static async Task<ScriptedOwner> OfAsync(GatewayHost host, string run, TenantId? tenant = null)
    {
        var store = host.Services.GetRequiredService<IRunStore>();
        var found = Assert.IsType<RunRecord>(await store.GetAsync(tenant ?? TenantId.Default, new RunId(run), Ct));
        var mine = await store.AcquireAsync(found, "worker-1", crashed: false, Ct);
        return new ScriptedOwner(store, host.Time, host.Services.GetRequiredService<RunSignals>(), Assert.IsType<RunRecord>(mine));
    }

    /// <summary>What an answered step of a model that calls one tool leaves.</summary>
    public async Task StepAsync(string call, string output = """{"text":"4"}""")
    {
        var op = Next;
        await AppendAsync((JournalKinds.ModelIntent, $$"""{"op":{{op}},"attempt":1,"model":"gpt-4o-mini"}"""));
        await GrowAsync("I ", "will ", "ask");
        await AppendAsync(
            (JournalKinds.ModelResult, $$$"""{"op":{{{op}}},"text":"I will ask","calls":[{"id":"{{{call}}}","name":"calculator","arguments":{"expression":"2+2"}}],"finish":"tool_calls","model":"gpt-4o-mini","provider":"openai","inputTokens":10,"outputTokens":5,"cost":0.001,"latencyMs":12}"""),
            (JournalKinds.ToolIntent, $$"""{"call":"{{call}}","name":"calculator","effect":"pure","attempt":1,"key":"k-{{call}}"}"""));
        await AppendAsync((JournalKinds.ToolResult, $$"""{"call":"{{call}}","name":"calculator","output":{{output}},"cost":0.0005,"latencyMs":1}"""));
    }

    public Task AppendAsync(params (string Kind, string Body)[] entries) => AppendAsync(null, [], entries);

    public async Task AppendAsync(RunChange? change, IReadOnlyList<string> folded, params (string Kind, string Body)[] entries)
    {
        var now = _time.GetUtcNow();
        Assert.True(await _store.AppendAsync(new RunAppend
        {
            Tenant = _run.Tenant,
            Run = _run.Id,
            Epoch = _run.Epoch,
            Seq = Next,
            Folded = folded,
            Change = change,
            Entries = [.. entries.Select((entry, index) => new JournalEntry(Next + index, entry.Kind, now, _run.Epoch, entry.Body))],
        }, Ct));
        _run = _run with { NextSeq = Next + entries.Length };
        _signals.Changed(_run.Id);
    }

    /// <summary>Pieces of the answer to the last entry.</summary>
    public Task GrowAsync(params string[] texts) => GrowAsync(1, texts);

    public async Task GrowAsync(int first, string[] texts)
    {
        var seq = Next - 1;
        Assert.True(await _store.AddChunksAsync(_run.Tenant, _run.Id, _run.Epoch,
            [.. texts.Select((text, index) => new RunChunk(seq, first + index, _time.GetUtcNow(), $$"""{"op":{{seq}},"text":{{JsonSerializer.Serialize(text)}}}"""))], Ct));
        _signals.Changed(_run.Id);
    }

    public Task EndAsync(RunStatus status = RunStatus.Completed, string output = "\"done\"")
    {
        var error = status == RunStatus.Completed ? "" : ""","error":{"code":"stopped","message":"It was stopped."}""";
        return AppendAsync(
            new RunChange { Status = status, EndedAt = _time.GetUtcNow(), Error = status == RunStatus.Completed ? null : "stopped", Steps = 1, Now = _time.GetUtcNow() },
            [],
            (JournalKinds.Ended, string.Create(CultureInfo.InvariantCulture, $$"""{"status":"{{status.ToString().ToLowerInvariant()}}","output":{{output}}{{error}},"cost":0.0015,"steps":1}""")));
    }

    public Task ParkAsync(string waitsFor, params (string Kind, string Body)[] entries) =>
        AppendAsync(new RunChange { Status = RunStatus.Waiting, WaitsFor = waitsFor, Steps = 1, Now = _time.GetUtcNow() }, [], entries);
}
