using System.Globalization;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Gateway;
using Penstock.Http;
using Penstock.Kernel;
using Penstock.Keys;

namespace Penstock.Jobs;

/// <summary><c>/v1/jobs</c>, and for admins <c>/v1/admin/jobs</c>. A job is accepted once it is durable; nothing waits for its call.</summary>
internal sealed class JobEndpoints(Jobs jobs, JobHooks hooks, Admission admission, KeyRing keys)
{
    private const int MostListed = 200;
    private const int MostLetters = 100;

    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/jobs", SubmitAsync);
        routes.MapGet("/v1/jobs", ListAsync);
        routes.MapGet("/v1/jobs/webhook-secret", SecretAsync);
        routes.MapGet("/v1/jobs/{id}", GetAsync);
        routes.MapPost("/v1/jobs/{id}/cancel", CancelAsync);
        routes.MapGet("/v1/admin/jobs/dead", DeadAsync);
        routes.MapPost("/v1/admin/jobs/{id}/redrive", RedriveAsync);
        routes.MapPost("/v1/admin/jobs/redrive", RedriveAllAsync);
    }

    private async Task SubmitAsync(HttpContext http)
    {
        await using var passage = await admission.AdmitAsync(http, Scopes.None);
        var (_, order) = await admission.ReadAsync(http, passage.Caller, body => JobOrder.Read(JsonView.Parse(body)));
        var job = await jobs.SubmitAsync(passage.Caller, order, http.RequestAborted);
        http.Response.Headers.Location = $"/v1/jobs/{job.Id}";
        await Json.WriteAsync(http, StatusCodes.Status202Accepted, json => JobView.WriteHead(json, job));
    }

    private async Task ListAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http);
        await SendPageAsync(http, caller, http.Request.Query["state"].ToString() is { Length: > 0 } state ? JobNames.State(state) : null, null, "state", "limit", "cursor");
    }

    private async Task GetAsync(HttpContext http)
    {
        var job = await jobs.FindAsync(await keys.AuthenticateAsync(http), Id(http), http.RequestAborted);
        CheckQuery(http.Request.Query);
        var result = job.State == JobState.Completed ? await jobs.ResultAsync(job, http.RequestAborted) : null;
        // Who asks again and again is told how often that makes sense.
        if (!job.Ended) http.Response.Headers.RetryAfter = "1";
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            JobView.WriteHead(json, job);
            if (result is { } body) JobView.WriteResult(json, job, body);
        });
    }

    private async Task CancelAsync(HttpContext http)
    {
        var job = await jobs.CancelAsync(await keys.AuthenticateAsync(http), Id(http), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => JobView.WriteHead(json, job));
    }

    private async Task SecretAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http);
        CheckQuery(http.Request.Query);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => json.WriteString("secret", hooks.SecretOf(caller.Tenant, caller.Key.Id).Reveal()));
    }

    /// <summary>An operator sees the letters of the queue too, of every tenant and of work that no job stands behind.</summary>
    private async Task DeadAsync(HttpContext http)
    {
        var caller = await keys.AuthenticateAsync(http, Scopes.Admin);
        var letters = caller.Has(Scopes.Operator) ? await jobs.LettersAsync(MostLetters, http.RequestAborted) : null;
        await SendPageAsync(http, caller, JobState.Dead, letters, "limit", "cursor");
    }

    private async Task RedriveAsync(HttpContext http)
    {
        var job = await jobs.RedriveAsync(await keys.AuthenticateAsync(http, Scopes.Admin), Id(http), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => JobView.WriteHead(json, job));
    }

    private async Task RedriveAllAsync(HttpContext http)
    {
        await keys.AuthenticateAsync(http, Scopes.Operator);
        CheckQuery(http.Request.Query, "most");
        var sent = await jobs.RedriveAsync(Whole(http.Request.Query, "most", 100, 10_000), http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json => json.WriteNumber("redriven", sent));
    }

    private async Task SendPageAsync(HttpContext http, Caller caller, JobState? state, IReadOnlyList<DeadJob>? letters, params string[] known)
    {
        CheckQuery(http.Request.Query, known);
        var limit = Whole(http.Request.Query, "limit", 50, MostListed);
        var after = http.Request.Query["cursor"].ToString() is { Length: > 0 } cursor ? JobNames.Cursor(cursor) : ((DateTimeOffset, JobId)?)null;
        var found = await jobs.ListAsync(caller, new JobQuery { State = state, After = after, Limit = limit + 1 }, http.RequestAborted);
        await Json.WriteAsync(http, StatusCodes.Status200OK, json =>
        {
            json.WriteStartArray("jobs");
            foreach (var job in found.Take(limit))
            {
                json.WriteStartObject();
                JobView.WriteHead(json, job);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            if (found.Count > limit) json.WriteString("cursor", JobNames.Cursor(found[limit - 1]));
            if (letters is not null) WriteLetters(json, letters);
        });
    }

    private static void WriteLetters(Utf8JsonWriter json, IReadOnlyList<DeadJob> letters)
    {
        json.WriteStartArray("letters");
        foreach (var letter in letters)
        {
            json.WriteStartObject();
            json.WriteString("id", letter.Message.Id);
            json.WriteString("tenant", letter.Message.Tenant);
            json.WriteString("kind", letter.Message.Kind);
            json.WriteString("reason", letter.Reason);
            json.WriteNumber("attempts", letter.Attempts);
            json.WriteString("at", letter.At);
            json.WriteEndObject();
        }

        json.WriteEndArray();
    }

    private static string Id(HttpContext http) => (string)http.Request.RouteValues["id"]!;

    private static void CheckQuery(IQueryCollection query, params ReadOnlySpan<string> known)
    {
        foreach (var (name, values) in query)
        {
            if (!known.Contains(name)) throw new RefusedException(Refusal.Invalid(name, $"'{name}' is no parameter here. Known: {(known.IsEmpty ? "none" : string.Join(", ", known!))}."));
            if (values.Count > 1) throw new RefusedException(Refusal.Invalid(name, $"'{name}' is given {values.Count} times; give it once."));
        }
    }

    private static int Whole(IQueryCollection query, string name, int usual, int most)
    {
        if (query[name].ToString() is not { Length: > 0 } text) return usual;
        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= 1 && value <= most
            ? value
            : throw new RefusedException(Refusal.Invalid(name, $"'{name}' must be a whole number from 1 to {most}."));
    }
}
