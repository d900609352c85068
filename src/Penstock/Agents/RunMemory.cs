using Penstock.Kernel;
using Penstock.Tools;
using Penstock.Tools.Search;

namespace Penstock.Agents;

/// <summary>What a run begins with of earlier ones, what it leaves to later ones, and the tools that remember.</summary>
internal sealed class RunMemory(IMemoryStore store, TimeProvider time)
{
    private const int MostFacts = 1_000;
    private const int MostRecalled = 10;

    /// <summary>The thread so far, and what is known of the end user; null where the run has neither.</summary>
    public async Task<Draft?> BeginAsync(OwnedRun run, CancellationToken ct)
    {
        var context = run.State.Definition.Context;
        if (ThreadOf(run.Record) is null && OwnerOf(run.Record) is null) return null;
        var messages = ThreadOf(run.Record) is { } thread && context.ThreadMessages > 0 ? await store.MessagesAsync(thread, context.ThreadMessages, ct) : [];
        var facts = OwnerOf(run.Record) is { } owner && context.Facts > 0 ? await store.FactsAsync(owner, context.Facts, ct) : [];
        // A vendor wants a user's word first.
        return Drafts.Remembered([.. messages.SkipWhile(message => message.Role != "user")], [.. facts.Select(fact => fact.Text)]);
    }

    /// <summary>What was asked and answered goes to the thread, once.</summary>
    public async Task EndAsync(OwnedRun run, string answer, CancellationToken ct)
    {
        if (ThreadOf(run.Record) is not { } thread || run.State.Definition.Context.ThreadMessages == 0) return;
        var now = time.GetUtcNow();
        var asked = run.State.Input.ValueKind == System.Text.Json.JsonValueKind.String ? run.State.Input.GetString()! : run.State.Input.GetRawText();
        await store.AddMessagesAsync(thread, run.Record.Id, [new ThreadMessage("user", asked, now), new ThreadMessage("assistant", answer, now)], ct);
    }

    public async Task<string> CallAsync(OwnedRun run, string tool, JsonView arguments, string key, CancellationToken ct)
    {
        if (OwnerOf(run.Record) is not { } owner)
            throw new RefusedException(new Refusal(RefusalKind.Unprocessable, "no_user", "Nothing can be remembered: the run was started without a 'user'."));
        if (tool == MachineTools.Recall) return await RecallAsync(owner, arguments.Required("query").Text(), ct);
        await store.PutFactAsync(new MemoryFact(owner, $"fact_{key["call_".Length..]}", arguments.Required("fact").Text(), time.GetUtcNow(), run.Record.Id), ct);
        return """{"remembered":true}""";
    }

    private async Task<string> RecallAsync(MemoryOwner owner, string query, CancellationToken ct)
    {
        var facts = await store.FactsAsync(owner, MostFacts, ct);
        var found = new TextIndex(facts.Select(fact => new SearchedText(fact.Id, null, null, fact.Text)), ct).Find(query, MostRecalled);
        return JsonOutput.Of(json =>
        {
            json.WriteStartArray("facts");
            foreach (var fact in found) json.WriteStringValue(fact.Snippet);
            json.WriteEndArray();
        }).GetRawText();
    }

    private static ThreadId? ThreadOf(RunRecord run) => run is { Conversation: { } conversation, Parent: null } ? new ThreadId(run.Tenant, run.Project, conversation) : null;

    private static MemoryOwner? OwnerOf(RunRecord run) => run.EndUser is { } user ? new MemoryOwner(run.Tenant, run.Project, user) : null;
}
