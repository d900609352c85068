using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Penstock.Kernel;
using Penstock.Tools;

namespace Penstock.Agents;

/// <summary>Runs that a run starts: each under its parent's envelope, named after the call that asked for it, so that no crash makes two of one.</summary>
internal sealed class ChildRuns(IRunStore store, RunBodies bodies, AgentCatalog agents, RunSignals signals, TimeProvider time)
{
    /// <summary>How often a parent looks after its children by itself; they tell it when they end.</summary>
    public static readonly TimeSpan Look = TimeSpan.FromSeconds(30);

    /// <param name="starting">Those that start with it and are not journaled yet.</param>
    public static Draft Start(OwnedRun run, ToolTurn call, JsonView arguments, int starting)
    {
        var limits = run.State.Definition.Limits;
        return run.State.Children + starting >= limits.Children
            ? Drafts.ToolFailed(call, "limit_children", $"This run may start {limits.Children} others, and has. Go on without.", retry: false)
            : Drafts.ChildStarted(call, IdOf(run.Record, call), arguments.Required("agent").Text());
    }

    /// <summary>Sees to it that every child that is journaled exists, and journals those that have ended.</summary>
    public async Task FollowAsync(OwnedRun run, CancellationToken ct)
    {
        foreach (var call in run.State.Calls.Where(call => call.Phase == ToolPhase.AwaitsChild).ToArray())
        {
            var id = new RunId(call.Child!);
            if (await store.GetAsync(run.Record.Tenant, id, ct) is not { } child)
            {
                await TryCreateAsync(run, call, id, ct);
                continue;
            }

            if (!child.Ended) continue;
            var last = (await store.JournalAsync(child.Tenant, child.Id, child.NextSeq - 1, 1, ct))[0];
            using var ended = JsonDocument.Parse((await bodies.WholeAsync(child, last, ct)).Body);
            await run.Journal.AppendAsync([Drafts.ChildEnded(call, child, ended.RootElement)]);
        }
    }

    /// <summary>A run that ended tells the one that waits for it, and ends those that work for it.</summary>
    public async Task TellAsync(RunRecord run, RunState state, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        if (run.Parent is { } parent)
        {
            await store.PostAsync(run.Tenant, parent, new InboxItem($"child:{run.Id}", InboxKinds.Child, now, Member("run", run.Id.Value)), ct);
            signals.Wanted(parent);
        }

        if (state.Children == 0) return;
        foreach (var child in await store.ChildrenAsync(run.Tenant, run.Id, ct))
        {
            if (child.Ended) continue;
            await store.PostAsync(run.Tenant, child.Id, new InboxItem(InboxKinds.Cancel, InboxKinds.Cancel, now, Member("by", $"run {run.Id}")), ct);
            signals.Wanted(child.Id);
        }
    }

    /// <summary>An agent that was taken away since it was asked for fails the call, and not the run.</summary>
    private async Task TryCreateAsync(OwnedRun run, ToolTurn call, RunId id, CancellationToken ct)
    {
        try
        {
            await CreateAsync(run, call, id, ct);
        }
        catch (RefusedException e)
        {
            await run.Journal.AppendAsync([Drafts.ToolFailed(call, e.Refusal.Code, e.Refusal.Message, retry: false)]);
        }
    }

    private async Task CreateAsync(OwnedRun run, ToolTurn call, RunId id, CancellationToken ct)
    {
        var arguments = ToolArguments.TryParse(call.Arguments)!.Value;
        var agent = agents.Find(arguments.Required("agent").Text());
        var now = DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());
        var child = new RunRecord
        {
            Tenant = run.Record.Tenant,
            Id = id,
            Project = run.Record.Project,
            Key = run.Record.Key,
            Agent = agent.Name,
            Version = agent.Version,
            Hash = agent.Hash,
            EndUser = run.Record.EndUser,
            Parent = run.Record.Id,
            Path = $"{run.Record.Path}/{id}",
            Limit = ShareOf(run) is var share && agent.Limits.Usd < share ? agent.Limits.Usd : share,
            CreatedAt = now,
            WakeAt = now,
        };
        await store.CreateAsync(child, [.. First(run, agent, arguments, now)], ct);
        signals.Wanted(id);
    }

    /// <summary>
    /// What is left of the parent's envelope, parted among those that wait for a run: a call that sets no size holds all that its envelope has, and those beside
    /// it would have none.
    /// </summary>
    private static Money ShareOf(OwnedRun run)
    {
        var left = run.Record.Limit - run.State.Cost;
        return left <= Money.Zero ? Money.Zero : new Money(left.NanoDollars / run.State.Calls.Count(call => call.Phase == ToolPhase.AwaitsChild));
    }

    /// <summary>It may search in what its parent was given.</summary>
    private static IEnumerable<JournalEntry> First(OwnedRun run, AgentDefinition agent, JsonView arguments, DateTimeOffset now)
    {
        yield return new JournalEntry(0, JournalKinds.Started, now, 0, JsonOutput.Of(json =>
        {
            json.WritePropertyName("definition");
            json.WriteRawValue(agent.Text);
            json.WriteString("input", arguments.Required("input").Text());
            if (run.State.Authority is { } authority)
            {
                json.WritePropertyName("authority");
                authority.WriteTo(json);
            }
        }).GetRawText());
        var seq = 1L;
        foreach (var document in run.State.Documents)
        {
            yield return new JournalEntry(seq++, JournalKinds.Document, now, 0, JsonOutput.Of(json =>
            {
                json.WriteString("docId", document.DocId);
                if (document.Title is { } title) json.WriteString("title", title);
                if (document.Uri is { } uri) json.WriteString("uri", uri);
                json.WriteString("text", document.Text);
            }).GetRawText());
        }
    }

    private static RunId IdOf(RunRecord run, ToolTurn call) =>
        new("run_" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{run.Tenant}\n{run.Id}\n{call.Id}")).AsSpan(0, 12)));

    private static string Member(string name, string value) => JsonOutput.Of(json => json.WriteString(name, value)).GetRawText();
}
