using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Budgets;

/// <summary><c>/v1/usage/budget</c>. Any key sees the budgets over itself; only an admin changes one, and nobody but an admin can raise their own.</summary>
internal sealed partial class BudgetEndpoints(KeyRing ring, IBudgetStore store, TimeProvider time)
{
    private const int MaxBody = 64 * 1024;
    private const int LongestName = 512;

    private static readonly string[] Scopes = ["tenant", "project", "key", "user", "model"];
    private static readonly string[] Periods = ["day", "week", "month", "total"];

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/v1/usage/budget", GetAsync);
        routes.MapPut("/v1/usage/budget", PutAsync);
        routes.MapDelete("/v1/usage/budget", DeleteAsync);
    }

    private async Task GetAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http);
        var own = await store.StatusAsync(caller.Tenant, Holds.ScopesOf(caller), Holds.ImpliedBy(caller), time.GetUtcNow(), http.RequestAborted);
        var all = caller.Has(Keys.Scopes.Admin) ? await store.ListAsync(caller.Tenant, time.GetUtcNow(), http.RequestAborted) : own;
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            // The members at the top are those of the budget that leaves this key the least.
            if (own.Where(status => status.Budget.Hard).MinBy(status => status.Remaining) is { } tightest) WriteMembers(json, tightest);
            json.WriteStartArray("budgets");
            foreach (var status in all.Union(own))
            {
                json.WriteStartObject();
                WriteMembers(json, status);
                json.WriteEndObject();
            }

            json.WriteEndArray();
        });
    }

    private async Task PutAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http, Keys.Scopes.Admin);
        var body = JsonView.Parse(await Bodies.ReadAsync(http, MaxBody));
        body.AllowOnly("scope", "name", "period", "limit", "hard", "timeZone");
        var budget = new Budget
        {
            Tenant = caller.Tenant,
            Scope = ReadScope(body, caller),
            Period = body.Optional("period") is { } period ? (BudgetPeriod)Array.IndexOf(Periods, period.OneOf(Periods)) : BudgetPeriod.Month,
            Limit = Money.FromUsd(body.Required("limit").Decimal(0, 1_000_000_000)),
            Hard = body.Optional("hard")?.Flag() ?? true,
            TimeZone = body.Optional("timeZone") is { } zone ? ReadZone(zone) : "UTC",
        };
        await store.PutAsync(budget, http.RequestAborted);
        var status = (await store.ListAsync(caller.Tenant, time.GetUtcNow(), http.RequestAborted)).First(found => found.Budget.Scope == budget.Scope && found.Budget.Period == budget.Period);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => WriteMembers(json, status));
    }

    private async Task DeleteAsync(HttpContext http)
    {
        var caller = await ring.AuthenticateAsync(http, Keys.Scopes.Admin);
        var body = JsonView.Parse(await Bodies.ReadAsync(http, MaxBody));
        body.AllowOnly("scope", "name", "period");
        var scope = ReadScope(body, caller);
        var period = (BudgetPeriod)Array.IndexOf(Periods, body.Required("period").OneOf(Periods));
        if (!await store.RemoveAsync(caller.Tenant, scope, period, http.RequestAborted))
            throw new RefusedException(new Refusal(RefusalKind.NotFound, "budget_not_found", $"There is no budget for {scope} by {Periods[(int)period]}."));
        http.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static BudgetScope ReadScope(JsonView body, Caller caller)
    {
        var kind = (BudgetScopeKind)Array.IndexOf(Scopes, body.Required("scope").OneOf(Scopes));
        if (kind == BudgetScopeKind.Tenant) return new BudgetScope(kind, caller.Tenant.Value);
        return new BudgetScope(kind, body.Required("name").ShortText(LongestName));
    }

    /// <summary>The name becomes a path into the system's zone files: only what a zone's name can hold gets that far.</summary>
    private static string ReadZone(JsonView zone) =>
        ZoneName().IsMatch(zone.NonEmptyText()) && TimeZoneInfo.TryFindSystemTimeZoneById(zone.Text(), out _) ? zone.Text() : throw zone.Bad("must be an IANA time zone such as Europe/Zurich");

    private static void WriteMembers(Utf8JsonWriter json, BudgetStatus status)
    {
        json.WriteString("scope", Scopes[(int)status.Budget.Scope.Kind]);
        json.WriteString("name", status.Budget.Scope.Name);
        json.WriteString("period", Periods[(int)status.Budget.Period]);
        json.WriteBoolean("hard", status.Budget.Hard);
        json.WriteString("timeZone", status.Budget.TimeZone);
        json.WriteNumber("limit", status.Budget.Limit.Usd);
        json.WriteNumber("spent", status.Spent.Usd);
        json.WriteNumber("held", status.Held.Usd);
        json.WriteNumber("remaining", status.Remaining.Usd);
        if (status.Window.End is { } end) json.WriteString("resetsAt", end);
    }

    [GeneratedRegex(@"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}\z", RegexOptions.CultureInvariant)]
    private static partial Regex ZoneName();
}
