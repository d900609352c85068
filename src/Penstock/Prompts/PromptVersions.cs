using Penstock.Kernel;

namespace Penstock.Prompts;

/// <summary>Who does something to a label, and why.</summary>
public sealed record PromptMover(string By, string Reason);

/// <summary>Stores versions and moves labels: a deployment is a label that moves, and a roll back one that moves back.</summary>
public sealed class PromptVersions(IPromptStore store, PromptLibrary library, ShippedPrompts shipped, TimeProvider time)
{
    /// <summary>Who set the labels that nobody set.</summary>
    private const string Build = "penstock";

    /// <summary>False where the tenant has this version already.</summary>
    public Task<bool> AddAsync(TenantId tenant, PromptTemplate template, string by, CancellationToken ct) =>
        store.AddAsync(new PromptVersion(new PromptEntry(tenant, template.Name, template.Id.Hash, Now(), by), template.Text), ct);

    /// <summary>The template as a call would find it. Throws 404.</summary>
    public ValueTask<PromptTemplate> FindAsync(TenantId tenant, PromptReference reference, CancellationToken ct) => library.FindAsync(tenant, reference, ct);

    /// <summary>Versions, newest first, and last those of the build that the tenant does not have itself.</summary>
    public async Task<IReadOnlyList<PromptEntry>> ListAsync(TenantId tenant, string? name, CancellationToken ct)
    {
        var stored = await store.ListAsync(tenant, name, ct);
        var built = shipped.All.Where(template => name is null || template.Name == name).Where(template => !stored.Any(entry => (entry.Name, entry.Hash) == (template.Name, template.Id.Hash)));
        return [.. stored, .. built.OrderBy(template => template.Name, StringComparer.Ordinal).Select(template => new PromptEntry(tenant, template.Name, template.Id.Hash, DateTimeOffset.UnixEpoch, Build))];
    }

    /// <summary>Where each label points, those that nobody set included.</summary>
    public async Task<IReadOnlyList<(string Name, string Label, string Hash)>> LabelsAsync(TenantId tenant, string? name, CancellationToken ct)
    {
        var set = await store.LabelsAsync(tenant, name, ct);
        var built = shipped.All.Where(template => (name is null || template.Name == name) && !set.Any(move => move.Name == template.Name && move.Label == PromptReference.Production));
        return [.. set.Select(move => (move.Name, move.Label, Hash: move.To)).Concat(built.Select(template => (template.Name, Label: PromptReference.Production, template.Id.Hash)))
            .OrderBy(label => label.Name, StringComparer.Ordinal).ThenBy(label => label.Label, StringComparer.Ordinal)];
    }

    public Task<IReadOnlyList<PromptMove>> HistoryAsync(TenantId tenant, string name, int limit, CancellationToken ct) => store.HistoryAsync(tenant, name, limit, ct);

    /// <summary>
    /// Points <paramref name="label"/> at <paramref name="to"/>. Throws 404 where there is no such version, and 409 where the label does not point at
    /// <paramref name="expected"/> (null for wherever it points) or somebody moves it at the same time. Null where it points there already.
    /// </summary>
    public async Task<PromptMove?> MoveAsync(TenantId tenant, PromptReference to, string label, PromptMover mover, string? expected, CancellationToken ct)
    {
        var template = await library.FindAsync(tenant, to, ct);
        var last = await LastAsync(tenant, template.Name, label, ct);
        if (expected is not null && last?.To.StartsWith(expected, StringComparison.Ordinal) != true)
            throw Conflict($"Label '{template.Name}:{label}' points at {Shown(last?.To)}, not at {expected}. Look at its history, and move it again if you still want to.");
        if (last?.To == template.Id.Hash) return null;
        // A version of the build outlives the build.
        if (shipped.Find(template.Name, template.Id.Hash) is { } built) await AddAsync(tenant, built, Build, ct);
        return await MoveAsync(Next(tenant, template.Name, label, last, mover) with { To = template.Id.Hash }, ct);
    }

    /// <summary>One step back: to where the label pointed before the move that is in force. Throws 404 where it never pointed elsewhere, 409 as a move does.</summary>
    public async Task<PromptMove> RollBackAsync(TenantId tenant, string name, string label, PromptMover mover, CancellationToken ct)
    {
        var last = await store.LabelAsync(tenant, name, label, ct);
        if (last is null || await store.MoveOfAsync(tenant, name, label, last.Before, ct) is not { } before)
            throw new RefusedException(new Refusal(RefusalKind.NotFound, "nothing_to_roll_back", $"Label '{name}:{label}' has never pointed at another version, so that there is none to go back to."));
        return await MoveAsync(Next(tenant, name, label, last, mover) with { To = before.To, Before = before.Before }, ct);
    }

    /// <summary>The label's last move. Where the build's own template answers, that becomes the first: there is something to go back to.</summary>
    private async Task<PromptMove?> LastAsync(TenantId tenant, string name, string label, CancellationToken ct)
    {
        if (await store.LabelAsync(tenant, name, label, ct) is { } last) return last;
        if (label != PromptReference.Production || shipped.Find(name) is not { } built) return null;
        await AddAsync(tenant, built, Build, ct);
        await store.MoveAsync(Next(tenant, name, label, null, new PromptMover(Build, "comes with this build")) with { To = built.Id.Hash }, ct);
        return await store.LabelAsync(tenant, name, label, ct);
    }

    private PromptMove Next(TenantId tenant, string name, string label, PromptMove? last, PromptMover mover) => new()
    {
        Tenant = tenant,
        Name = name,
        Label = label,
        Number = (last?.Number ?? 0) + 1,
        From = last?.To,
        To = "",
        Before = last?.Number ?? 0,
        By = mover.By,
        At = Now(),
        Reason = mover.Reason,
    };

    private async Task<PromptMove> MoveAsync(PromptMove move, CancellationToken ct)
    {
        var moved = await store.MoveAsync(move, ct);
        library.Forget(move.Tenant, move.Name, move.Label);
        return moved switch
        {
            PromptMoved.Moved => move,
            PromptMoved.Overtaken => throw Conflict($"Somebody else moved label '{move.Name}:{move.Label}' at the same time. Look at its history, and move it again if you still want to."),
            _ => throw new RefusedException(new Refusal(RefusalKind.NotFound, "template_not_found", $"Template '{move.Name}' has no version {Shown(move.To)}.") { Field = "template" }),
        };
    }

    private DateTimeOffset Now() => DateTimeOffset.FromUnixTimeMilliseconds(time.GetUtcNow().ToUnixTimeMilliseconds());

    private static string Shown(string? hash) => hash?[..PromptVersionId.ShownDigits] ?? "nothing";

    private static RefusedException Conflict(string message) => new(new Refusal(RefusalKind.Conflict, "label_moved", message));
}
