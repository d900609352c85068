using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Penstock.Http;
using Penstock.Kernel;

namespace Penstock.Gateway.Tasks;

/// <summary>The tasks as routes of their own.</summary>
internal sealed class TaskEndpoints(ChatPipeline pipeline, TaskCalls tasks)
{
    public void Map(IEndpointRouteBuilder routes)
    {
        routes.MapPost("/v1/classify", http => AnswerAsync(http, new ClassifyTask()));
        routes.MapPost("/v1/suggest", http => AnswerAsync(http, new SuggestTask()));
        routes.MapPost("/v1/extract", http => AnswerAsync(http, new ExtractTask()));
        routes.MapPost("/v1/summarise", http => AnswerAsync(http, new SummariseTask()));
        routes.MapPost("/v1/summarize", http => AnswerAsync(http, new SummariseTask()));
    }

    private async Task AnswerAsync(HttpContext http, TextTask task)
    {
        await using var passage = await pipeline.AdmitAsync(http);
        var body = await pipeline.ReadAsync(http, passage);
        await tasks.RunAsync(http, passage, task, JsonView.Parse(body), body, members => Json.WriteAsync(http, StatusCodes.Status200OK, members));
    }
}
