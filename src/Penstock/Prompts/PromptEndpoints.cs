using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Prompts;

/// <summary><c>/v1/prompts</c>: any key sees the templates of its tenant; admins add versions and move labels.</summary>
internal sealed class PromptEndpoints(PromptVersions prompts, KeyRing keys)
{
    /// <summary>A file, with room for how JSON writes it.</summary>
    private const int MaxBody = 6 * PromptFile.LargestBytes;

    private const int LongestReason = 500;
    private const int HistoryShown = 50;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/prompts", ListAsync);
        routes.MapPost("/v1/prompts", AddAsync);
        routes.MapGet("/v1/prompts/{name}", GetAsync);
        routes.MapPut("/v1/prompts/{name}/labels/{label}", MoveAsync);
        routes.MapPost("/v1/prompts/{name}/labels/{label}/rollback", RollBackAsync);
    }

    private async Task ListAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http);
        var entries = await prompts.ListAsync(caller.Tenant, null, http.RequestAborted);
        var labels = await prompts.LabelsAsync(caller.Tenant, null, http.RequestAborted);
        var newest = entries.GroupBy(entry => entry.Name).OrderBy(group => group.Key, StringComparer.Ordinal).Select(group => group.First()).ToList();
        var templates = new List<PromptTemplate>();
        foreach (var entry in newest)
        {
            var shown = labels.FirstOrDefault(label => label.Name == entry.Name && label.Label == PromptReference.Production).Hash ?? entry.Hash;
            templates.Add(await prompts.FindAsync(caller.Tenant, new PromptReference(entry.Name, null, shown), http.RequestAborted));
        }

        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("prompts");
            foreach (var template in templates)
            {
                json.WriteStartObject();
                WriteHead(json, template);
                WriteLabels(json, labels.Where(label => label.Name == template.Name));
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private async Task GetAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http);
        var reference = PromptReference.Parse((string)http.Request.RouteValues["name"]!, "name");
        var name = reference.Name;
        var entries = await prompts.ListAsync(caller.Tenant, name, http.RequestAborted);
        var labels = await prompts.LabelsAsync(caller.Tenant, name, http.RequestAborted);
        // A template that was pushed and has no label yet is shown by its newest version.
        var unlabelled = reference == PromptReference.Of(name) && entries.Count > 0 && !labels.Any(label => label.Label == PromptReference.Production);
        var template = await prompts.FindAsync(caller.Tenant, unlabelled ? new PromptReference(name, null, entries[0].Hash) : reference, http.RequestAborted);
        var history = await prompts.HistoryAsync(caller.Tenant, name, HistoryShown, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            WriteHead(json, template);
            WriteDetails(json, template);
            WriteLabels(json, labels);
            json.WriteStartArray("versions");
            foreach (var entry in entries) WriteEntry(json, entry);
            json.WriteEndArray();
            json.WriteStartArray("history");
            foreach (var move in history)
            {
                json.WriteStartObject();
                WriteMove(json, move);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private async Task AddAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http, Scopes.Admin);
        var body = JsonView.Parse(await Bodies.ReadAsync(http, MaxBody));
        body.AllowOnly("source", "label", "reason");
        var label = body.Optional("label") is { } given ? Label(given.Text(), "label") : null;
        var reading = PromptFile.Read("source", Encoding.UTF8.GetBytes(body.Required("source").NonEmptyText()));
        if (reading.Template is not { } template) throw new RefusedException(Refusal.Invalid("source", string.Join(' ', reading.Errors)));

        var added = await prompts.AddAsync(caller.Tenant, template, caller.Key.Id.Value, http.RequestAborted);
        var here = new PromptReference(template.Name, null, template.Id.Hash);
        if (label is not null) await prompts.MoveAsync(caller.Tenant, here, label, Mover(caller, body), null, http.RequestAborted);
        var labels = await prompts.LabelsAsync(caller.Tenant, template.Name, http.RequestAborted);
        await Json.WriteAsync(http, added ? StatusCodes.Status201Created : StatusCodes.Status200OK, json =>
        {
            WriteHead(json, template);
            WriteLabels(json, labels);
        });
    }

    private async Task MoveAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http, Scopes.Admin);
        var body = JsonView.Parse(await Bodies.ReadAsync(http, MaxBody));
        body.AllowOnly("version", "expected", "reason");
        var (name, label) = Of(http);
        var to = VersionOf(name, body.Required("version"));
        var expected = body.Optional("expected") is { } view ? VersionOf(name, view).Hash ?? throw view.Bad("must be a hash") : null;
        var move = await prompts.MoveAsync(caller.Tenant, to, label, Mover(caller, body), expected, http.RequestAborted);
        await AnswerAsync(http, caller, name, label, move);
    }

    private async Task RollBackAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http, Scopes.Admin);
        var bytes = await Bodies.ReadAsync(http, MaxBody);
        var body = bytes.IsEmpty ? (JsonView?)null : JsonView.Parse(bytes);
        body?.AllowOnly("reason");
        var (name, label) = Of(http);
        var mover = new PromptMover(caller.Key.Id.Value, body?.Optional("reason")?.ShortText(LongestReason) ?? "rolled back");
        await AnswerAsync(http, caller, name, label, await prompts.RollBackAsync(caller.Tenant, name, label, mover, http.RequestAborted));
    }

    /// <summary>The move that was made, or where the label points already.</summary>
    private async Task AnswerAsync(HttpContext http, Caller caller, string name, string label, PromptMove? made)
    {
        var move = made ?? (await prompts.HistoryAsync(caller.Tenant, name, int.MaxValue, http.RequestAborted)).First(one => one.Label == label);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteString("name", name);
            json.WriteBoolean("moved", made is not null);
            WriteMove(json, move);
        });
    }

    private static (string Name, string Label) Of(HttpContext http)
    {
        var name = (string)http.Request.RouteValues["name"]!;
        if (!PromptNames.IsName(name)) throw new RefusedException(Refusal.Invalid("name", $"A template's name has {PromptNames.NameRule}."));
        return (name, Label((string)http.Request.RouteValues["label"]!, "label"));
    }

    private static string Label(string text, string field) => PromptNames.IsLabel(text) ? text : throw new RefusedException(Refusal.Invalid(field, $"A label has {PromptNames.LabelRule}."));

    /// <summary>A hash, another label of the same template, or the whole <c>name@hash</c>.</summary>
    private static PromptReference VersionOf(string name, JsonView view)
    {
        var text = view.Text();
        if (PromptNames.IsHash(text)) return new PromptReference(name, null, text);
        return PromptReference.TryParse(text, out var reference) && reference.Name == name && text != name
            ? reference
            : throw view.Bad($"must be 8 or more digits of a version's hash, '{name}@hash' or '{name}:label'");
    }

    private static PromptMover Mover(Caller caller, JsonView body) => new(caller.Key.Id.Value, body.Optional("reason")?.ShortText(LongestReason) ?? "");

    private static void WriteHead(Utf8JsonWriter json, PromptTemplate template)
    {
        json.WriteString("name", template.Name);
        json.WriteString("version", template.Id.ToString());
        json.WriteString("hash", template.Id.Hash);
        json.WriteString("useCase", template.UseCase);
        json.WriteString("owner", template.Owner);
        json.WriteString("versionText", template.Version);
        json.WriteString("description", template.Description);
        json.WriteString("model", template.Model);
    }

    private static void WriteDetails(Utf8JsonWriter json, PromptTemplate template)
    {
        if (template.MaxOutputTokens is { } tokens) json.WriteNumber("maxOutputTokens", tokens);
        json.WriteStartArray("variables");
        foreach (var variable in template.Variables)
        {
            json.WriteStartObject();
            json.WriteString("name", variable.Name);
            json.WriteBoolean("required", variable.Default is null);
            if (variable.Default is { } usual) json.WriteString("default", usual);
            json.WriteNumber("maxLength", variable.MaxLength);
            if (variable.Description is { } about) json.WriteString("description", about);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteString("source", template.Text);
    }

    private static void WriteLabels(Utf8JsonWriter json, IEnumerable<(string Name, string Label, string Hash)> labels)
    {
        json.WriteStartObject("labels");
        foreach (var (_, label, hash) in labels) json.WriteString(label, hash);
        json.WriteEndObject();
    }

    private static void WriteEntry(Utf8JsonWriter json, PromptEntry entry)
    {
        json.WriteStartObject();
        json.WriteString("hash", entry.Hash);
        json.WriteString("addedAt", entry.At);
        json.WriteString("addedBy", entry.By);
        json.WriteEndObject();
    }

    private static void WriteMove(Utf8JsonWriter json, PromptMove move)
    {
        json.WriteString("label", move.Label);
        json.WriteNumber("number", move.Number);
        if (move.From is { } from) json.WriteString("from", from);
        json.WriteString("to", move.To);
        json.WriteString("by", move.By);
        json.WriteString("at", move.At);
        json.WriteString("reason", move.Reason);
    }
}
