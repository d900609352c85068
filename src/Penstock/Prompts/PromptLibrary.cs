using System.Collections.Concurrent;
using System.Text;
using Penstock.Kernel;

namespace Penstock.Prompts;

/// <summary>
/// Finds the template a call names. Where a label points is read from the store at most once in <see cref="Remembered"/>, so that a move is seen within
/// that time on every server; a version never changes and is kept as it was read.
/// </summary>
public sealed class PromptLibrary(IPromptStore store, ShippedPrompts shipped, TimeProvider time)
{
    public static readonly TimeSpan Remembered = TimeSpan.FromSeconds(5);

    private const int MostRemembered = 10_000;
    private const int MostNamed = 20;

    private readonly ConcurrentDictionary<(TenantId, string Name, string Label), (string? Hash, DateTimeOffset At)> _labels = new();
    private readonly ConcurrentDictionary<(TenantId, string Name, string Hash), PromptTemplate> _versions = new();

    /// <summary>Throws 404 that names what there is.</summary>
    public async ValueTask<PromptTemplate> FindAsync(TenantId tenant, PromptReference reference, CancellationToken ct)
    {
        if (reference.Hash is { } hash) return await VersionAsync(tenant, reference.Name, hash, ct) ?? throw await UnknownAsync(tenant, reference, ct);
        if (await PointedAtAsync(tenant, reference.Name, reference.Label!, ct) is { } labelled)
            return await VersionAsync(tenant, reference.Name, labelled, ct) ?? throw new InvalidDataException($"Label '{reference}' points at version {labelled}, which the store does not have.");
        return (reference.Label == PromptReference.Production ? shipped.Find(reference.Name) : null) ?? throw await UnknownAsync(tenant, reference, ct);
    }

    /// <summary>The next call with this label asks the store.</summary>
    public void Forget(TenantId tenant, string name, string label) => _labels.TryRemove((tenant, name, label), out _);

    private async ValueTask<string?> PointedAtAsync(TenantId tenant, string name, string label, CancellationToken ct)
    {
        // The time before the store is asked: a move that happens meanwhile is seen in time too.
        var now = time.GetUtcNow();
        if (_labels.TryGetValue((tenant, name, label), out var known) && now - known.At < Remembered) return known.Hash;
        var hash = (await store.LabelAsync(tenant, name, label, ct))?.To;
        if (_labels.Count >= MostRemembered) _labels.Clear();
        _labels[(tenant, name, label)] = (hash, now);
        return hash;
    }

    private async ValueTask<PromptTemplate?> VersionAsync(TenantId tenant, string name, string hash, CancellationToken ct)
    {
        if (_versions.TryGetValue((tenant, name, hash), out var known)) return known;
        var found = (await store.FindAsync(tenant, name, hash, ct)).Select(Read).ToList();
        if (shipped.Find(name, hash) is { } built && !found.Exists(template => template.Id == built.Id)) found.Add(built);
        if (found.Count > 1) throw new RefusedException(new Refusal(RefusalKind.Conflict, "template_ambiguous", $"'{name}@{hash}' begins the hashes of several versions; give more digits.") { Field = "template" });
        if (found is not [var template]) return null;
        // A beginning may come to name another version too.
        if (_versions.Count >= MostRemembered) _versions.Clear();
        _versions[(tenant, name, template.Id.Hash)] = template;
        return template;
    }

    private static PromptTemplate Read(PromptVersion version)
    {
        var reading = PromptFile.Read($"{version.Entry.Name}@{version.Entry.Hash}", Encoding.UTF8.GetBytes(version.Text));
        if (reading.Template is null) throw new InvalidDataException($"A stored template cannot be read by this build: {string.Join(' ', reading.Errors)}");
        return reading.Template.Id.Hash == version.Entry.Hash ? reading.Template : throw new InvalidDataException($"The stored template '{version.Entry.Name}@{version.Entry.Hash}' is not the text that its hash names.");
    }

    private async Task<RefusedException> UnknownAsync(TenantId tenant, PromptReference reference, CancellationToken ct)
    {
        var versions = await store.ListAsync(tenant, null, ct);
        var names = versions.Select(version => version.Name).Concat(shipped.All.Select(template => template.Name)).Distinct().Order(StringComparer.Ordinal).ToList();
        if (!names.Contains(reference.Name)) return NotFound($"There is no template '{reference.Name}'. There are {Some(names)}.");

        var labels = (await store.LabelsAsync(tenant, reference.Name, ct)).Select(move => move.Label).ToList();
        if (shipped.Find(reference.Name) is not null && !labels.Contains(PromptReference.Production)) labels.Add(PromptReference.Production);
        var hashes = versions.Where(version => version.Name == reference.Name).Select(version => version.Hash)
            .Concat(shipped.Find(reference.Name) is { } built ? [built.Id.Hash] : []).Distinct().Select(hash => hash[..PromptVersionId.ShownDigits]).ToList();
        return NotFound($"Template '{reference.Name}' has no {(reference.Label is { } label ? $"label '{label}'" : $"version '{reference.Hash}'")}. It has the labels {Some(labels)} and the versions {Some(hashes)}.");
    }

    private static string Some(List<string> names) => names.Count == 0 ? "(none)" : names.Count <= MostNamed ? string.Join(", ", names) : $"{string.Join(", ", names.Take(MostNamed))} and {names.Count - MostNamed} more";

    private static RefusedException NotFound(string message) => new(new Refusal(RefusalKind.NotFound, "template_not_found", message) { Field = "template" });
}
