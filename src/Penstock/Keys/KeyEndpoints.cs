using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Guards;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Keys;

/// <summary><c>/v1/auth/keys</c>: admins manage the keys of their own tenant; an operator may name another.</summary>
internal sealed class KeyEndpoints(VirtualKeys keys, KeyRing ring, KeyAdmin admin, TimeProvider time)
{
    private const int MaxBody = 64 * 1024;
    private static readonly TimeSpan LongestGrace = TimeSpan.FromDays(1);

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/auth/keys", CreateAsync);
        routes.MapGet("/v1/auth/keys", ListAsync);
        routes.MapGet("/v1/auth/keys/{id}", GetAsync);
        routes.MapDelete("/v1/auth/keys/{id}", RevokeAsync);
        routes.MapPost("/v1/auth/keys/{id}/rotate", RotateAsync);
    }

    private async Task CreateAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http, Scopes.Admin);
        var body = JsonView.Parse(await Bodies.ReadAsync(http, MaxBody));
        var draft = Read(body, caller, KeyAdmin.TenantOf(http, caller), time.GetUtcNow());
        var (text, key) = await keys.CreateAsync((made, now) => draft with { Id = made.Id, Hash = made.Hash(), CreatedAt = now }, http.RequestAborted);
        http.Response.Headers.Location = $"/v1/auth/keys/{key.Id}";
        await Json.WriteAsync(http, StatusCodes.Status201Created, json =>
        {
            json.WriteString("apiKey", text.Text);
            WriteMembers(json, key);
        });
    }

    private async Task ListAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http, Scopes.Admin);
        var found = await keys.ListAsync(KeyAdmin.TenantOf(http, caller), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("keys");
            foreach (var key in found)
            {
                json.WriteStartObject();
                WriteMembers(json, key);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private async Task GetAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http, Scopes.Admin);
        var key = await keys.GetAsync(KeyAdmin.TenantOf(http, caller), KeyAdmin.IdOf(http), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => WriteMembers(json, key));
    }

    private async Task RevokeAsync(HttpContext http)
    {
        var key = await admin.FindToChangeAsync(http);
        await keys.RevokeAsync(key.Tenant, key.Id, http.RequestAborted);
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private async Task RotateAsync(HttpContext http)
    {
        var key = await admin.FindToChangeAsync(http);
        var bytes = await Bodies.ReadAsync(http, MaxBody);
        var grace = TimeSpan.Zero;
        if (!bytes.IsEmpty)
        {
            var body = JsonView.Parse(bytes);
            body.AllowOnly("graceSeconds");
            grace = TimeSpan.FromSeconds(body.Optional("graceSeconds")?.Whole(0, (int)LongestGrace.TotalSeconds) ?? 0);
        }

        var text = await keys.RotateAsync(key.Tenant, key.Id, grace, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteString("apiKey", text.Text);
            json.WriteString("keyId", text.Id.Value);
        });
    }

    private static KeyRecord Read(JsonView body, Caller caller, TenantId usual, DateTimeOffset now)
    {
        body.AllowOnly("name", "scopes", "tenant", "project", "monthlyBudget", "requestsPerSecond", "burst", "tokensPerMinute", "concurrency", "models", "tools", "expiresAt", "guards");
        var scopes = body.Required("scopes").Items().Aggregate(Scopes.None, (all, name) => all | ScopeNames.Read(name));
        if (scopes == Scopes.None) throw body.Required("scopes").Bad("must name at least one scope");
        if (scopes.HasFlag(Scopes.Operator) && !caller.Has(Scopes.Operator))
            throw new RefusedException(new Refusal(RefusalKind.Forbidden, "missing_scope", "Only an operator's key may make another one.") { Field = "scopes" });

        return new KeyRecord
        {
            Id = default,
            Hash = default,
            CreatedAt = default,
            Name = body.Required("name").ShortText(200),
            Scopes = scopes,
            Tenant = body.Optional("tenant") is { } tenant ? KeyAdmin.Named(tenant.Text(), "tenant", caller) : usual,
            Project = body.Optional("project") is { } project ? new ProjectId(Matching(project)) : ProjectId.Default,
            MonthlyBudget = body.Optional("monthlyBudget") is { } budget ? Money.FromUsd(budget.Decimal(0, 1_000_000_000)) : null,
            RequestsPerSecond = body.Optional("requestsPerSecond")?.Number(0.001, 1_000_000),
            Burst = body.Optional("burst")?.Whole(1, 1_000_000),
            TokensPerMinute = body.Optional("tokensPerMinute")?.Whole(1),
            Concurrency = body.Optional("concurrency")?.Whole(1, 1_000_000),
            Models = body.Optional("models")?.Items().Select(model => model.ShortText(256)).ToArray() ?? [],
            Guards = body.Optional("guards") is { } guards ? KeyGuards.Read(guards) : null,
            Tools = body.Optional("tools")?.Items().Select(tool => tool.ShortText(256)).ToArray() ?? [],
            ExpiresAt = body.Optional("expiresAt") is { } expires ? Later(expires, now) : null,
        };
    }

    private static string Matching(JsonView name) => PlainName.Is(name.Text()) ? name.Text() : throw name.Bad("must be 1 to 64 letters, digits, '.', '_' or '-'");

    private static DateTimeOffset Later(JsonView text, DateTimeOffset now)
    {
        if (!RequestTime.TryRead(text.Text(), out var instant)) throw text.Bad("must be a time such as 2027-01-31T00:00:00Z");
        return instant > now ? instant : throw text.Bad("must lie in the future");
    }

    private static void WriteMembers(Utf8JsonWriter json, KeyRecord key)
    {
        json.WriteString("keyId", key.Id.Value);
        json.WriteString("name", key.Name);
        json.WriteStartArray("scopes");
        foreach (var scope in ScopeNames.Of(key.Scopes)) json.WriteStringValue(scope);
        json.WriteEndArray();
        json.WriteString("tenant", key.Tenant.Value);
        json.WriteString("project", key.Project.Value);
        json.WriteString("createdAt", key.CreatedAt);
        if (key.ExpiresAt is { } expires) json.WriteString("expiresAt", expires);
        if (key.RevokedAt is { } revoked) json.WriteString("revokedAt", revoked);
        if (key.MonthlyBudget is { } budget) json.WriteNumber("monthlyBudget", budget.Usd);
        if (key.RequestsPerSecond is { } rate) json.WriteNumber("requestsPerSecond", rate);
        if (key.Burst is { } burst) json.WriteNumber("burst", burst);
        if (key.TokensPerMinute is { } tokens) json.WriteNumber("tokensPerMinute", tokens);
        if (key.Concurrency is { } calls) json.WriteNumber("concurrency", calls);
        if (key.Guards is { } guards)
        {
            json.WritePropertyName("guards");
            json.WriteRawValue(guards);
        }

        WriteList(json, "models", key.Models);
        WriteList(json, "tools", key.Tools);
    }

    private static void WriteList(Utf8JsonWriter json, string name, IReadOnlyList<string> items)
    {
        if (items.Count == 0) return;
        json.WriteStartArray(name);
        foreach (var item in items) json.WriteStringValue(item);
        json.WriteEndArray();
    }
}
